"""Where and how precisely tensors are computed: device and autocast, one place for both.

Between rounds the devices' copies live on the host, where they are averaged and sent. A group's copies move to the
accelerator with the constants of its samples when it trains, and only figures and the trained copies come back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from hffm_opt.errors import Finding, InputError

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
KINDS = ("cpu", "cuda")


@dataclass(frozen=True)
class Execution:
    """A torch device by name, and the precision of matrix products.

    ``bf16`` runs products in bfloat16 under torch's autocast; parameters, moments, residual streams, losses and
    averages stay in fp32.

    >>> Execution().put({"w": torch.ones(2)})["w"].device.type
    'cpu'
    """

    device: str = "cpu"
    precision: Precision = "fp32"

    def check(self) -> None:
        """Refuse what this machine does not have.

        Raises:
            InputError: unknown precision, or a device that is unknown or not at hand.
        """
        findings = []
        if self.precision not in PRECISIONS:
            findings.append(Finding("--precision", f"'{self.precision}' is not known", "use fp32 or bf16"))
        try:
            if torch.device(self.device).type not in KINDS:
                raise RuntimeError("training knows processors and CUDA devices")
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            words = str(error).splitlines()[0]
            repair = "use cpu" if not torch.cuda.is_available() else "use cpu, cuda or cuda:N"
            findings.append(Finding("--device", f"'{self.device}' cannot be used: {words}", repair))
        if findings:
            raise InputError(findings)

    def put(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors on the device."""
        return {name: tensor.to(self.device) for name, tensor in tensors.items()}

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """Make a CUDA device give the same bits every time, and compute fp32 in fp32, while this context is entered.

        The kernels chosen are slower by some percent; one that has no repeatable form warns. The CPU's are repeatable.

        Source: PyTorch, notes on reproducibility and on TensorFloat-32.
        """
        if torch.device(self.device).type != "cuda":
            yield
            return
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first product is computed
        products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
        before = (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            convolutions.benchmark,
            (products.allow_tf32, convolutions.allow_tf32),
        )

        def put(strict: bool, lenient: bool, searched: bool, rounded: tuple[bool, bool]) -> None:
            torch.use_deterministic_algorithms(strict, warn_only=lenient)
            convolutions.benchmark = searched
            products.allow_tf32, convolutions.allow_tf32 = rounded

        try:
            put(True, True, False, (False, False))
            yield
        finally:
            put(*before)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context to run forward passes in; it holds for the calling thread."""
        kind = torch.device(self.device).type
        return torch.autocast(kind if kind == "cuda" else "cpu", torch.bfloat16, enabled=self.precision == "bf16")


HOST = Execution()


def to_host(tensor: Tensor) -> Tensor:
    """Return a tensor on the CPU without its history: the only way off a device."""
    return tensor.detach().cpu()
