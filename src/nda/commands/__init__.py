"""What the commands of the command line do, a file a family."""

from nda.extras import require_training

require_training("nda.commands")
