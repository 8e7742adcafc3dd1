"""Average the gradients of the ranks of one Linux host through memory that they share.

A DistributedDataParallel communication hook. gloo moves gradients through TCP, whose threads and
copies take time from the cores that train. Here every rank writes its gradients into memory that
all of them map and reads the others' from it: two passes over the gradients for two ranks.

Memory ordering: ranks tell each other that data is ready with a message on a Unix socket, never
with a flag in the shared memory. The kernel's lock of the socket's queue, which the sender
releases after it wrote its data and the receiver takes before it reads, orders the two on every
processor (x86, ARM), and the socket's end of file tells at once that a rank has died.

Nothing stays behind after a crash: the memory is a memfd and the sockets' addresses are abstract,
so neither has a name in any file system, and the kernel frees them with their last process.
"""

# No "from __future__ import annotations": DDP compares the annotations of a hook with the types.
import mmap
import os
import select
import socket
import struct
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

_LINE = 64  # bytes: a cache line, so that no two ranks write to the same one
_SPIN_S = 200e-6  # how long to poll before sleeping: about what waking a sleeping rank costs
_MESSAGE = struct.Struct("qq")  # barrier's number, bytes reduced


def _padded(nbytes: int) -> int:
    return -(-nbytes // _LINE) * _LINE


@dataclass
class SharedMemoryReducer:
    """What the hook needs to know; make one per DDP model, on every rank at the same time.

    module: the model whose gradients are reduced. It sets the size of the memory: per host, four
        times its trainable parameters for two ranks, and ranks + 1 times for more.
    group: the ranks, all on one host; None for the default group.
    timeout_s: seconds to wait for another rank before giving up.

    Raises RuntimeError on every rank where the ranks are not all on one host, OSError or
    TimeoutError where the memory or the sockets cannot be had, and ValueError for parameters that
    are not in CPU memory.
    """

    module: torch.nn.Module
    group: dist.ProcessGroup | None = None
    timeout_s: float = 300.0
    rank: int = field(init=False)
    ranks: int = field(init=False)
    _peers: dict[int, socket.socket] = field(init=False, default_factory=dict)
    _regions: list[torch.Tensor] = field(init=False, default_factory=list)
    _pending: list[tuple[torch.Tensor, int, torch.futures.Future[torch.Tensor]]] = field(
        init=False, default_factory=list
    )
    _offset: int = field(init=False, default=0)
    _barriers: int = field(init=False, default=0)
    _step: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        if any(p.device.type != "cpu" for p in parameters):
            raise ValueError("gradients can be reduced in shared memory only where they are in CPU memory")
        self.rank, self.ranks = dist.get_rank(self.group), dist.get_world_size(self.group)
        # Any bucket holds whole parameters of one type, so padding each one bounds the padding.
        capacity = sum(_padded(p.numel() * p.element_size()) for p in parameters)
        # Two ranks: each rank's gradients of this step and of the last. More: each rank's, and the average.
        count = 2 * self.ranks if self.ranks <= 2 else self.ranks + 1
        descriptor = self._connect(count * capacity)
        try:
            memory = mmap.mmap(descriptor, max(count * capacity, 1))
        finally:
            os.close(descriptor)
        whole = torch.frombuffer(memory, dtype=torch.uint8)
        self._regions = [whole[i * capacity : (i + 1) * capacity] for i in range(count)]
        self._barrier(capacity)

    def _connect(self, nbytes: int) -> int:
        """Connect every pair of ranks and return the descriptor of the memory, which rank 0 makes."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        mine = (boot, f"\0gradients-{uuid.uuid4().hex}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.settimeout(self.timeout_s)
            listener.bind(mine[1])
            listener.listen(self.ranks)
            everyone: list[Any] = [None] * self.ranks
            dist.all_gather_object(everyone, mine, group=self.group)
            if any(host != boot for host, _ in everyone):
                raise RuntimeError("the ranks are not all on one host: they cannot share memory")
            for rank in range(self.rank):
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                peer.settimeout(self.timeout_s)
                peer.connect(everyone[rank][1])
                peer.send(self.rank.to_bytes(4, "little"))
                self._peers[rank] = peer
            for _ in range(self.rank + 1, self.ranks):
                peer, _ = listener.accept()
                peer.settimeout(self.timeout_s)
                self._peers[int.from_bytes(peer.recv(4), "little")] = peer
        if self.rank == 0:
            descriptor = os.memfd_create("gradients", os.MFD_CLOEXEC)
            # Fails here, rather than with SIGBUS later, where the host lacks the memory.
            os.ftruncate(descriptor, max(nbytes, 1))
            for peer in self._peers.values():
                socket.send_fds(peer, [b"m"], [descriptor])
        else:
            _, descriptors, _, _ = socket.recv_fds(self._peers[0], 1, 1)
            if not descriptors:
                raise RuntimeError("rank 0 ended before it shared its memory")
            descriptor = descriptors[0]
        for peer in self._peers.values():
            peer.setblocking(False)
        return descriptor

    def _barrier(self, nbytes: int) -> None:
        """Wait until every rank is here; what each wrote before it, all read after it.

        nbytes: how much is being reduced, which must be the same on every rank.
        Raises RuntimeError naming the rank that ended, was silent for timeout_s or differs.
        """
        self._barriers += 1
        message = _MESSAGE.pack(self._barriers, nbytes)
        for rank, peer in self._peers.items():
            try:
                peer.send(message)
            except OSError as error:
                raise RuntimeError(f"rank {rank} ended before it had reduced its gradients") from error
        for rank, peer in self._peers.items():
            answer = self._receive(rank, peer)
            if answer != message:
                raise RuntimeError(
                    f"rank {rank} reduces other gradients: (barrier, bytes) {_MESSAGE.unpack(answer)}, "
                    f"here {(self._barriers, nbytes)}"
                )

    def _receive(self, rank: int, peer: socket.socket) -> bytes:
        """Return the next message of a rank, spinning briefly and then asleep."""
        start = time.monotonic()
        while True:
            try:
                answer = peer.recv(_MESSAGE.size)
            except BlockingIOError:
                waited = time.monotonic() - start
                if waited < _SPIN_S:
                    os.sched_yield()
                    continue
                poll = select.poll()
                poll.register(peer, select.POLLIN)
                if not poll.poll(max(self.timeout_s - waited, 0.0) * 1000):
                    raise RuntimeError(f"rank {rank} was silent for {self.timeout_s:g} s") from None
                continue
            except ConnectionError:
                answer = b""
            if not answer:
                raise RuntimeError(f"rank {rank} ended before it had reduced its gradients")
            return answer

    def add(self, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:  # type: ignore[name-defined]
        """Take a bucket; with the last one of a backward pass, average all of them."""
        if bucket.index() == 0:  # also forgets what a backward pass that failed left
            self._pending, self._offset = [], 0
        buffer = bucket.buffer()
        mine = self._view(self.rank + self.ranks * (self._step % 2 if self.ranks <= 2 else 0), self._offset, buffer)
        # Dividing before the sum, as DDP does, cannot overflow, and is the pass that copies anyway.
        torch.div(buffer, self.ranks, out=mine)
        future: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        self._pending.append((buffer, self._offset, future))
        self._offset += _padded(buffer.numel() * buffer.element_size())
        # One wait per step, not one per bucket: nobody's backward pass waits for another's.
        if bucket.is_last():
            self._average()
            for tensor, _, done in self._pending:
                done.set_result(tensor)
            self._pending = []
            self._step += 1
        return future

    def _view(self, region: int, offset: int, like: torch.Tensor) -> torch.Tensor:
        nbytes = like.numel() * like.element_size()
        return self._regions[region][offset : offset + nbytes].view(like.dtype)

    def _average(self) -> None:
        """Sum the ranks' divided gradients in the order of the ranks, so that all get the same bits."""
        self._barrier(self._offset)
        if self.ranks <= 2:
            # The regions alternate: a rank writes to this step's again only after the next barrier,
            # which nobody enters before having read them. So one barrier is enough.
            first = self.ranks * (self._step % 2)
            for buffer, offset, _ in self._pending:
                inputs = [self._view(first + rank, offset, buffer) for rank in range(self.ranks)]
                torch.add(inputs[0], inputs[1], out=buffer) if self.ranks == 2 else buffer.copy_(inputs[0])
            return
        # Reading everything from everyone would take ranks reads; each rank sums one slice instead.
        for buffer, offset, _ in self._pending:
            slices = [self._view(r, offset, buffer).tensor_split(self.ranks)[self.rank] for r in range(self.ranks + 1)]
            torch.add(slices[0], slices[1], out=slices[-1])
            for part in slices[2:-1]:
                slices[-1].add_(part)
        self._barrier(self._offset)
        for buffer, offset, _ in self._pending:
            buffer.copy_(self._view(self.ranks, offset, buffer))

    def close(self) -> None:
        """Leave the other ranks, which see this rank as ended from here on."""
        for peer in self._peers.values():
            peer.close()
        self._peers, self._regions, self._pending = {}, [], []


def average_in_shared_memory(
    reducer: SharedMemoryReducer,
    bucket: dist.GradBucket,  # type: ignore[name-defined]
) -> torch.futures.Future[torch.Tensor]:
    """Average a bucket over the ranks: ddp.register_comm_hook(SharedMemoryReducer(model), this).

    Does what DDP's own all-reduce does, whatever the number of buckets, and is not called inside
    no_sync(). Raises RuntimeError naming a rank that died or that took too long.
    """
    return reducer.add(bucket)
