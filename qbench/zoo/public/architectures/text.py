"""Transformers over tokens out of transformers, in the sizes that are published as mini, tiny or small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qbench.zoo.public.architectures.built import Built
from qbench.zoo.public.architectures.libraries import library

TOKENS, VOCABULARY = 64, 8000
_SMALL = {"vocab_size": VOCABULARY, "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4}


def _wrapped(network: Any, call: Callable[..., tuple[Any, ...]]) -> Any:
    """Return a module that calls `call(network, *tensors)`."""
    base = library("torch.nn").Module

    class Wrapped(base):  # type: ignore[misc, valid-type]
        """The network with tensors in and tensors out."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: Any) -> Any:
            """Return what `call` gives."""
            return call(self.network, *tensors)

    return Wrapped()


def _ids(count: int = TOKENS) -> Any:
    torch = library("torch")

    return torch.randint(0, VOCABULARY, (2, count))


def _ones(count: int = TOKENS) -> Any:
    torch = library("torch")

    return torch.ones(2, count, dtype=torch.int64)


def encoder(kind: str) -> Built:
    """Return an encoder: ids and a mask in, a vector for every token out."""
    models = library("transformers")

    make = {
        "bert": lambda: models.BertModel(
            models.BertConfig(**_SMALL, intermediate_size=1024), add_pooling_layer=False
        ),
        "roberta": lambda: models.RobertaModel(
            models.RobertaConfig(**_SMALL, intermediate_size=1024, max_position_embeddings=514),
            add_pooling_layer=False,
        ),
        "distilbert": lambda: models.DistilBertModel(
            models.DistilBertConfig(vocab_size=VOCABULARY, dim=256, n_layers=4, n_heads=4, hidden_dim=1024)
        ),
        "electra": lambda: models.ElectraModel(
            models.ElectraConfig(**_SMALL, embedding_size=128, intermediate_size=1024)
        ),
        "t5": lambda: models.T5EncoderModel(models.T5Config(**_T5)),
    }  # fmt: skip
    network = make[kind]()
    module = _wrapped(network, lambda net, ids, mask: net(input_ids=ids, attention_mask=mask)[0])
    return Built(module, (_ids(), _ones()), ("input_ids", "attention_mask"), ("last_hidden_state",))


def classifier() -> Built:
    """Return a BERT that gives one of five classes to a text."""
    models = library("transformers")

    config = models.BertConfig(**_SMALL, intermediate_size=1024, num_labels=5)
    network = models.BertForSequenceClassification(config)
    module = _wrapped(network, lambda net, ids, mask: net(input_ids=ids, attention_mask=mask).logits)
    names = ("input_ids", "attention_mask")
    return Built(module, (_ids(), _ones()), names, ("logits",), "network.classifier")


_T5: Mapping[str, int] = {
    "vocab_size": VOCABULARY, "d_model": 256, "d_kv": 64, "d_ff": 1024, "num_layers": 4, "num_decoder_layers": 4,
    "num_heads": 4, "decoder_start_token_id": 0,
}  # fmt: skip


def t5_decoder() -> Built:
    """Return T5's decoder: ids so far and the encoder's vectors in, logits over words out."""
    torch, models = library("torch"), library("transformers")

    network = models.T5ForConditionalGeneration(models.T5Config(**_T5))

    def call(net: Any, ids: Any, states: Any, mask: Any) -> Any:
        found = net.decoder(input_ids=ids, encoder_hidden_states=states, encoder_attention_mask=mask, use_cache=False)
        return net.lm_head(found[0])

    inputs = (_ids(16), torch.randn(2, TOKENS, 256), _ones())
    names = ("decoder_input_ids", "encoder_hidden_states", "encoder_attention_mask")
    return Built(_wrapped(network, call), inputs, names, ("logits",))


_WHISPER: Mapping[str, int] = {
    "vocab_size": VOCABULARY, "d_model": 256, "encoder_layers": 4, "decoder_layers": 4, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024, "max_source_positions": 250,
    "num_mel_bins": 80, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip


def whisper(part: str) -> Built:
    """Return Whisper's encoder over 5 s of sound, or its decoder of one step."""
    torch, models = library("torch"), library("transformers")

    network = models.WhisperModel(models.WhisperConfig(**_WHISPER))
    if part == "encoder":
        module = _wrapped(network.encoder, lambda net, features: net(features)[0])
        return Built(module, (torch.randn(2, 80, 500),), ("input_features",), ("last_hidden_state",))

    def call(net: Any, ids: Any, states: Any) -> Any:
        mask = torch.ones_like(ids)
        found = net(input_ids=ids, attention_mask=mask, encoder_hidden_states=states, use_cache=False)[0]
        return found @ net.embed_tokens.weight.T

    module = _wrapped(network.decoder, call)
    inputs = (_ids(16), torch.randn(2, 250, 256))
    return Built(module, inputs, ("decoder_input_ids", "encoder_hidden_states"), ("logits",))


def gpt(kind: str) -> Built:
    """Return a GPT-2: over a whole text (`prompt`), or of one more word with keys and values of those before it."""
    torch, models = library("torch"), library("transformers")

    layers, heads, past = 4, 4, 32
    config = models.GPT2Config(vocab_size=VOCABULARY, n_embd=256, n_layer=layers, n_head=heads, n_positions=256)
    network = models.GPT2LMHeadModel(config)
    if kind == "prompt":
        module = _wrapped(
            network, lambda net, ids, mask: net(input_ids=ids, attention_mask=mask, use_cache=False).logits
        )
        return Built(module, (_ids(), _ones()), ("input_ids", "attention_mask"), ("logits",))

    def call(net: Any, ids: Any, mask: Any, *cache: Any) -> Any:
        kept = models.DynamicCache(list(zip(cache[::2], cache[1::2], strict=True)))
        found = net(input_ids=ids, attention_mask=mask, past_key_values=kept, use_cache=True)
        more = [(layer.keys, layer.values) for layer in found.past_key_values.layers]
        return (found.logits, *(tensor for pair in more for tensor in pair))

    cache = [torch.randn(2, heads, past, 64) for _ in range(2 * layers)]
    words = [f"{index}.{word}" for index in range(layers) for word in ("key", "value")]
    return Built(
        _wrapped(network, call), (_ids(1), _ones(past + 1), *cache),
        ("input_ids", "attention_mask", *(f"past.{word}" for word in words)),
        ("logits", *(f"present.{word}" for word in words)),
    )  # fmt: skip


def speech(kind: str) -> Built:
    """Return an encoder over raw sound: a feature extractor of Conv1d, then a transformer."""
    torch, models = library("torch"), library("transformers")

    config = models.Wav2Vec2Config(
        vocab_size=32, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
        conv_dim=(128,) * 7, num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=8,
    )  # fmt: skip
    network = {"wav2vec2": models.Wav2Vec2ForCTC}[kind](config)
    for layer in network.modules():
        if torch.nn.utils.parametrize.is_parametrized(layer, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    module = _wrapped(network, lambda net, sound: net(sound).logits)
    return Built(module, (torch.randn(2, 16000),), ("input_values",), ("logits",))
