"""What `gpu_campaign.py` trains, and the augmentation of two of its arms."""
