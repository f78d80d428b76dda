"""LUViT in PyTorch, as a careful user would write it: the same shapes, the same frozen weights."""
import torch
import torch.nn.functional as F
from torch import nn


def linear(inputs, outputs, bias=True, std=None):
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight) if std is None else nn.init.normal_(layer.weight, std=std)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def attend(q, k, v, tap):
    """[B, H, T, C] each; `tap`, when given, receives the pattern [B, H, T, T]."""
    if tap is None:
        return F.scaled_dot_product_attention(q, k, v)
    pattern = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1), dim=-1)
    tap(pattern)
    return pattern @ v


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge(x):
    return x.transpose(1, 2).flatten(2)


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio):
        super().__init__()
        hidden = round(dim * mlp_ratio)
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = linear(dim, 3 * dim), linear(dim, dim)
        self.fc1, self.fc2 = linear(dim, hidden), linear(hidden, dim)

    def forward(self, x, drop=0.0, tap=None):
        q, k, v = (split(part, self.heads) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        x = x + drop_path(self.proj(merge(attend(q, k, v, tap))), drop)
        return x + drop_path(self.fc2(F.gelu(self.fc1(self.norm2(x)))), drop)


def drop_path(x, rate):
    if rate == 0:
        return x
    return x * (x.new_empty(x.shape[0], 1, 1).bernoulli_(1 - rate) / (1 - rate))


class LoraLinear(nn.Module):
    """alpha = rank, hence no scale."""

    def __init__(self, dim, rank):
        super().__init__()
        self.base = linear(dim, dim, bias=False, std=0.02)
        self.lora_A, self.lora_B = nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return self.base(x) + self.lora_B(self.lora_A(x))


class LlamaBlock(nn.Module):
    """Frozen but for LoRA on q and v; no causal mask, no rotation."""

    def __init__(self, dim, heads, hidden, eps, rank):
        super().__init__()
        bare = lambda i, o: linear(i, o, bias=False, std=0.02)
        self.heads, self.eps, self.dim = heads, eps, dim
        self.wq, self.wk, self.wv, self.wo = LoraLinear(dim, rank), bare(dim, dim), LoraLinear(dim, rank), bare(dim, dim)
        self.w1, self.w2, self.w3 = bare(dim, hidden), bare(hidden, dim), bare(dim, hidden)
        norms = (nn.Parameter(torch.ones(dim)) for _ in range(3))
        self.attention_norm, self.ffn_norm, self.norm = norms
        for name, parameter in self.named_parameters():
            parameter.requires_grad_("lora_" in name)

    def rms(self, x, weight):
        return F.rms_norm(x, (self.dim,), weight, self.eps)

    def forward(self, x, tap=None):
        h = self.rms(x, self.attention_norm)
        q, k, v = (split(layer(h), self.heads) for layer in (self.wq, self.wk, self.wv))
        x = x + self.wo(merge(attend(q, k, v, tap)))
        h = self.rms(x, self.ffn_norm)
        return self.rms(x + self.w2(F.silu(self.w1(h)) * self.w3(h)), self.norm)


class Encoder(nn.Module):
    def __init__(self, vit, llama, rank, learned_positions, final_norm):
        super().__init__()
        dim, patch = vit["dim"], vit["patchSize"]
        self.patch, self.patches = patch, (vit["imageSize"] // patch) ** 2
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + self.patches, dim) * 0.02, requires_grad=learned_positions)
        self.patch_embed = nn.Conv2d(3, dim, patch, patch)
        nn.init.xavier_uniform_(self.patch_embed.weight.view(dim, -1))
        self.blocks = nn.ModuleList(Block(dim, vit["heads"], vit["mlpRatio"]) for _ in range(vit["depth"]))
        self.llama = None
        if llama:
            self.mapper1 = linear(dim, llama["dim"], bias=False, std=0.02)
            self.llama = LlamaBlock(llama["dim"], llama["heads"], llama["hiddenDim"], llama["normEps"], rank)
            self.mapper2 = linear(llama["dim"], dim, bias=False, std=0.02)
        self.norm = nn.LayerNorm(dim, eps=1e-6) if final_norm else nn.Identity()

    def embed(self, images):
        return self.patch_embed(images).flatten(2).transpose(1, 2) + self.pos_embed[:, 1:]

    def forward(self, patches, last_drop=0.0, tap=None):
        token = (self.cls_token + self.pos_embed[:, :1]).expand(patches.shape[0], -1, -1)
        x = torch.cat([token, patches], dim=1)
        for k, block in enumerate(self.blocks):
            x = block(x, last_drop * k / max(1, len(self.blocks) - 1), tap)
        if self.llama is not None:
            x = self.mapper2(self.llama(self.mapper1(x), tap))
        return self.norm(x)


class MaskedAutoencoder(nn.Module):
    def __init__(self, vit, llama, rank, decoder):
        super().__init__()
        self.encoder = Encoder(vit, llama, rank, learned_positions=False, final_norm=True)
        dim = decoder["dim"]
        self.decoder_embed = linear(vit["dim"], dim)
        self.mask_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 1 + self.encoder.patches, dim) * 0.02, requires_grad=False)
        blocks = (Block(dim, decoder["heads"], decoder["mlpRatio"]) for _ in range(decoder["depth"]))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pred = linear(dim, 3 * vit["patchSize"] ** 2)

    def forward(self, images, mask_ratio=0.75):
        """Loss of one batch: normalized pixels of the removed patches (mae/models_mae.py)."""
        patches = self.encoder.embed(images)
        batch, count, dim = patches.shape
        shuffle = torch.rand(batch, count, device=images.device).argsort(dim=1)
        restore = shuffle.argsort(dim=1)
        kept = int(count * (1 - mask_ratio))
        visible = patches.gather(1, shuffle[:, :kept, None].expand(-1, -1, dim))
        removed = (restore >= kept).float()
        x = self.decoder_embed(self.encoder(visible))
        filler = self.mask_token.expand(batch, count - kept, -1).to(x.dtype)
        rows = torch.cat([x[:, 1:], filler], dim=1)
        ordered = rows.gather(1, restore[:, :, None].expand(-1, -1, x.shape[-1]))
        x = torch.cat([x[:, :1], ordered], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        prediction = self.pred(self.norm(x)[:, 1:]).float()
        error = (prediction - self.target(images)).square().mean(dim=-1)
        return (error * removed).sum() / removed.sum()

    def target(self, images):
        side = self.encoder.patch
        cells = images.unfold(2, side, side).unfold(3, side, side)
        cells = cells.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)
        return (cells - cells.mean(-1, keepdim=True)) / (cells.var(-1, keepdim=True) + 1e-6).sqrt()


class Classifier(nn.Module):
    """Mean over patch tokens, LayerNorm, linear head (mae/models_vit.py)."""

    def __init__(self, vit, llama, rank, classes):
        super().__init__()
        self.encoder = Encoder(vit, llama, rank, learned_positions=True, final_norm=False)
        self.fc_norm = nn.LayerNorm(vit["dim"], eps=1e-6)
        self.head = linear(vit["dim"], classes, std=0.02)

    def forward(self, images, last_drop=0.0, tap=None):
        tokens = self.encoder(self.encoder.embed(images), last_drop, tap)
        return self.head(self.fc_norm(tokens[:, 1:].mean(dim=1)))
