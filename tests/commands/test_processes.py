"""What only real processes show: Ctrl-C, a kill, and training on two processes."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from nda.cli import main
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from tests.support.processes import PATIENCE, started, wait_for_steps
from tests.support.tiny_run import train


def checkpointed_step(folder: Path) -> int:
    return int(load_checkpoint(folder / "checkpoints" / "latest")["step"])


@pytest.mark.slow
def test_an_interrupted_run_keeps_a_checkpoint_and_goes_on(
    image_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = train(image_folder, folder, steps="1000000", checkpoint_every="1000000")
    with started(words) as process:
        wait_for_steps(folder, 3, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    step = checkpointed_step(folder)
    assert step >= 3
    assert err.splitlines()[-1] == (
        f"nda: stopped at step {step} of 1000000; nothing is lost. "
        f"Continue with: nda resume {folder}"
    )
    assert out == ""
    assert not (folder / "metrics.json").exists()

    assert main(["resume", str(folder), "--steps", str(step + 2)]) == 0
    run = RunFolder.open(folder)
    assert [row["step"] for row in run.log()] == list(range(1, step + 3))
    assert [each["step"] for each in run.evaluations()] == [step + 2]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with started(train(image_folder, folder, steps="1000000")) as process:
        wait_for_steps(folder, 9, process)
        process.kill()
        process.communicate(timeout=PATIENCE)
    step = checkpointed_step(folder)
    assert step >= 6
    assert not list(folder.glob("**/*.tmp"))
    assert main(["resume", str(folder), "--steps", str(step + 1)]) == 0
    assert [row["step"] for row in RunFolder.open(folder).log()] == list(range(1, step + 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"joint_forward": "false"}, {"structure_head": "1", "structure_generator": "0.5"}]
)
def test_two_processes_train_one_model(
    image_folder: Path, tmp_path: Path, how: dict[str, str]
) -> None:
    folder = tmp_path / "run"
    words = train(image_folder, folder, devices="2", steps="6", **how)
    with started(words) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert out.count("measured at step 6:") == 1
    assert "Traceback" not in err
    run = RunFolder.open(folder)
    assert [row["images"] for row in run.log()] == [16 * step for step in range(1, 7)]
    assert checkpointed_step(folder) == 6
    assert [each["step"] for each in run.evaluations()] == [6]


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = train(image_folder, folder, devices="2", mixture="sampled", steps="1000000")
    with started(words) as process:
        wait_for_steps(folder, 3, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    step = checkpointed_step(folder)
    assert f"stopped at step {step} of 1000000" in err
    with started(["resume", str(folder), "--steps", str(step + 2)]) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert checkpointed_step(folder) == step + 2


@pytest.mark.slow
def test_a_run_goes_on_with_other_processes(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with started(train(image_folder, folder, devices="2", steps="2")) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert main(["resume", str(folder), "--devices", "1", "--steps", "4"]) == 0
    config = RunFolder.open(folder).config()
    assert (config["devices"], config["batch_size"]) == (1, 16)
    words = ["resume", str(folder), "--devices", "4", "--steps", "6"]
    with started(words) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    run = RunFolder.open(folder)
    assert (run.config()["devices"], run.config()["batch_size"]) == (4, 4)
    assert [row["images"] for row in run.log()] == [16 * step for step in range(1, 7)]


@pytest.mark.slow
def test_two_machines_train_one_model(image_folder: Path, tmp_path: Path) -> None:
    """Both are this one: what tells them apart is the rank that torchrun is given."""
    folder = tmp_path / "run"
    words = train(image_folder, folder, num_nodes="2", steps="3")
    torchrun = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1"]
    torchrun += ["--master_addr=127.0.0.1", f"--master_port={free_port()}"]
    with ExitStack() as opened:
        nodes = [
            opened.enter_context(started(words, through=[*torchrun, f"--node_rank={rank}"]))
            for rank in range(2)
        ]
        said = [node.communicate(timeout=PATIENCE) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert sum("measured at step 3:" in out for out, _ in said) == 1
    assert [row["images"] for row in RunFolder.open(folder).log()] == [16, 32, 48]


@pytest.mark.slow
def test_tasks_of_slurm_train_one_model(image_folder: Path, tmp_path: Path) -> None:
    """As srun would start them: two tasks of a job on one machine."""
    folder = tmp_path / "run"
    words = train(image_folder, folder, devices="2", steps="3")
    job = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "nda", "SLURM_NODEID": "0", "SLURM_NNODES": "1"}
    job |= {
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    with ExitStack() as opened:
        tasks = [
            opened.enter_context(
                started(words, **job, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank))
            )
            for rank in range(2)
        ]
        said = [task.communicate(timeout=PATIENCE) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    assert sum("measured at step 3:" in out for out, _ in said) == 1
    assert [row["images"] for row in RunFolder.open(folder).log()] == [16, 32, 48]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.slow
def test_two_processes_share_one_queue(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", "moco", "--data", str(image_folder), "--out", str(folder), "--steps", "3"]
    words += ["--resolution", "16", "--width", "8", "--dim", "12", "--batch_size", "8"]
    words += ["--bn_splits", "2", "--queue_size", "32", "--log_every", "1", "--device", "cpu"]
    with started([*words, "--devices", "2"]) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert [row["images"] for row in RunFolder.open(folder).log()] == [16, 32, 48]
    queue = load_checkpoint(folder / "checkpoints" / "latest")["state"]["queue"]
    # The third step took the place of the first: keys of both processes, 16 a step.
    assert sorted(queue["born"].tolist()) == [1] * 16 + [2] * 16
    lengths = queue["vectors"].norm(dim=1)
    assert float((lengths - 1).abs().max()) < 1e-5
    assert len(queue["vectors"].unique(dim=0)) == 32
