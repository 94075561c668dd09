"""Malformed and hostile files, made from good ones; run as a program it reads them all and says what came of each."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

Mutation = Callable[[ModelProto, np.random.Generator], None]
FOLDER = Path(__file__).parent / "exported"
BASES = ("mobilenet_v3_script", "shufflenet_dynamo", "bert_script", "vit_dynamo", "unet_nearest_script")


def _any_node(graph: GraphProto, generator: np.random.Generator, *, least: int = 1) -> NodeProto:
    found = [node for node in graph.node if len(node.input) >= least and any(node.input)]
    node: NodeProto = found[generator.integers(len(found))]
    return node


def _cycle(model: ModelProto, generator: np.random.Generator) -> None:
    chain = [node for node in model.graph.node if node.input and node.op_type in ("Conv", "MatMul", "Relu", "Mul")]
    first = chain[generator.integers(len(chain) // 2)]
    first.input[0] = chain[-1].output[0]


def _missing(model: ModelProto, generator: np.random.Generator) -> None:
    node = _any_node(model.graph, generator)
    node.input[0] = "nowhere"


def _twice(model: ModelProto, generator: np.random.Generator) -> None:
    node = _any_node(model.graph, generator)
    model.graph.node.append(helper.make_node("Relu", [node.input[0]], [node.output[0]]))


def _no_such_operator(model: ModelProto, generator: np.random.Generator) -> None:
    _any_node(model.graph, generator).op_type = "Explode"


def _huge_initializer(model: ModelProto, generator: np.random.Generator) -> None:
    tensors = model.graph.initializer
    tensors[generator.integers(len(tensors))].dims[:] = [2**40, 2**20]


def _negative_initializer(model: ModelProto, generator: np.random.Generator) -> None:
    tensors = model.graph.initializer
    tensors[generator.integers(len(tensors))].dims[:] = [-3, 5]


def _cut_initializer(model: ModelProto, generator: np.random.Generator) -> None:
    tensors = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 8]
    tensor = tensors[generator.integers(len(tensors))]
    tensor.raw_data = tensor.raw_data[: int(generator.integers(1, len(tensor.raw_data) - 4))] + b"x"


def _unknown_type(model: ModelProto, generator: np.random.Generator) -> None:
    tensors = model.graph.initializer
    tensors[generator.integers(len(tensors))].data_type = 999


def _huge_input(model: ModelProto, generator: np.random.Generator) -> None:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[int(generator.integers(1, len(dims)))].dim_value = 2 ** int(generator.integers(29, 62))


def _sequence_input(model: ModelProto, generator: np.random.Generator) -> None:
    del generator
    model.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [1])))


def _outside(model: ModelProto, generator: np.random.Generator) -> None:
    places = ("../outside.bin", "/etc/hostname", "a/../../outside.bin", "link.bin", "", "missing.bin", ".", "\0.bin")
    _external(model, generator, str(generator.choice(places)))


def _external(model: ModelProto, generator: np.random.Generator, location: str, **facts: str) -> None:
    tensors = [tensor for tensor in model.graph.initializer if tensor.raw_data]
    tensor = tensors[generator.integers(len(tensors))]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **facts}.items():
        tensor.external_data.add(key=key, value=value)


def _bad_slice_of_a_file(model: ModelProto, generator: np.random.Generator) -> None:
    facts: tuple[dict[str, str], ...] = (
        {"offset": str(2**60)}, {"length": str(2**60)}, {"offset": "-8"}, {"length": "3"}, {"offset": "ten"},
    )  # fmt: skip
    _external(model, generator, "small.bin", **facts[generator.integers(len(facts))])


def _one_file_for_thousands(model: ModelProto, generator: np.random.Generator) -> None:
    del generator
    for index in range(20_000):
        tensor = model.graph.initializer.add(name=f"copy{index}", data_type=TensorProto.UINT8, dims=[2**20])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="large.bin")


def _wrong_attribute(model: ModelProto, generator: np.random.Generator) -> None:
    found = [(node, entry) for node in model.graph.node for entry in node.attribute if node.op_type != "Constant"]
    _, entry = found[generator.integers(len(found))]
    name = entry.name
    entry.Clear()
    entry.name, entry.type, entry.f = name, AttributeProto.FLOAT, 1e30


def _huge_constant(model: ModelProto, generator: np.random.Generator) -> None:
    size = int(generator.integers(2**16, 2**20))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray([size, size]), "huge"))
    value = numpy_helper.from_array(np.asarray([1.0], np.float32))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["huge"], ["boom"], value=value))
    _read_boom(model)


def _grown_constant(model: ModelProto, generator: np.random.Generator) -> None:
    """Double a constant again and again."""
    del generator
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1024, np.float32), "grow0"))
    grown = [helper.make_node("Concat", [f"grow{i}"] * 4, [f"grow{i + 1}"], axis=0) for i in range(40)]
    grown.append(helper.make_node("Identity", ["grow40"], ["boom"]))
    for index, node in enumerate(grown):
        model.graph.node.insert(index, node)
    _read_boom(model)


def _read_boom(model: ModelProto) -> None:
    name = model.graph.output[0].name
    model.graph.node.append(helper.make_node("Add", [name, "boom"], ["hostile"]))
    model.graph.output[0].name = "hostile"
    model.graph.output[0].type.tensor_type.ClearField("shape")


def _absurd_activation(model: ModelProto, generator: np.random.Generator) -> None:
    del generator
    name = model.graph.output[0].name
    axes = numpy_helper.from_array(np.full(1, 2**40), "far")
    model.graph.initializer.append(axes)
    model.graph.node.append(helper.make_node("Tile", [name, "far"], ["hostile"]))
    model.graph.output[0].name = "hostile"


def _functions_without_end(model: ModelProto, generator: np.random.Generator) -> None:
    del generator
    opsets = [helper.make_opsetid("mine", 1)]
    for here, there in (("a", "b"), ("b", "a")):
        body = [helper.make_node(there, ["x"], ["y"], domain="mine")]
        model.functions.append(helper.make_function("mine", here, ["x"], ["y"], body, opsets))
    _call(model, "a")


def _functions_that_explode(model: ModelProto, generator: np.random.Generator) -> None:
    """Each of 40 functions calls the next one four times: 4 ** 40 nodes."""
    del generator
    opsets = [helper.make_opsetid("mine", 1), helper.make_opsetid("", 17)]
    for level in range(40):
        op, domain = (f"f{level + 1}", "mine") if level < 39 else ("Relu", "")
        names = ["x", "a", "b", "c", "y"]
        body = [helper.make_node(op, [names[i]], [names[i + 1]], domain=domain) for i in range(4)]
        model.functions.append(helper.make_function("mine", f"f{level}", ["x"], ["y"], body, opsets))
    _call(model, "f0")


def _call(model: ModelProto, name: str) -> None:
    model.opset_import.append(helper.make_opsetid("mine", 1))
    output = model.graph.output[0].name
    model.graph.node.append(helper.make_node(name, [output], ["hostile"], domain="mine"))
    model.graph.output[0].name = "hostile"


def _weights_for_others(model: ModelProto, generator: np.random.Generator) -> None:
    found = [tensor for tensor in model.graph.initializer if len(tensor.dims) in (2, 4) and tensor.data_type == 1]
    tensor = found[generator.integers(len(found))]
    wrong = [size + 1 for size in tensor.dims]
    tensor.CopyFrom(numpy_helper.from_array(np.ones(wrong, np.float32), tensor.name))


def _not_finite(model: ModelProto, generator: np.random.Generator) -> None:
    names = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm") and len(node.input) > 1}
    found = [tensor for tensor in model.graph.initializer if tensor.name in names]
    if not found:  # transformers hold their weights otherwise
        return _no_such_operator(model, generator)
    tensor = found[generator.integers(len(found))]
    tensor.CopyFrom(numpy_helper.from_array(np.full(list(tensor.dims), np.nan, np.float32), tensor.name))
    return None


def _strange_words(model: ModelProto, generator: np.random.Generator) -> None:
    _any_node(model.graph, generator).op_type = "\n\x1b[31mexit\n"


def _old_operators(model: ModelProto, generator: np.random.Generator) -> None:
    model.opset_import[0].version = int(generator.choice([-1, 0, 3, 6, 99, 2**40]))


def _output_of_nothing(model: ModelProto, generator: np.random.Generator) -> None:
    del generator
    model.graph.output[0].name = "nothing"


def _nothing(model: ModelProto, generator: np.random.Generator) -> None:
    del generator
    del model.graph.node[:]


MUTATIONS: tuple[Mutation, ...] = (
    _absurd_activation, _bad_slice_of_a_file, _cut_initializer, _cycle, _functions_that_explode, _functions_without_end,
    _grown_constant, _huge_constant, _huge_initializer, _huge_input, _missing, _negative_initializer, _no_such_operator,
    _not_finite, _nothing, _old_operators, _one_file_for_thousands, _output_of_nothing, _outside, _sequence_input,
    _strange_words, _twice, _unknown_type, _weights_for_others, _wrong_attribute,
)  # fmt: skip


def write_all(folder: Path, *, each: int) -> None:
    """Write every mutation of every base file `each` times, truncated files, and what some of them point at."""
    inside = folder / "models"
    inside.mkdir()
    (folder / "outside.bin").write_bytes(bytes(4096))
    (inside / "small.bin").write_bytes(bytes(64))
    (inside / "link.bin").symlink_to(folder / "outside.bin")
    with (inside / "large.bin").open("wb") as file:
        file.truncate(2**20)
    for name, content in mutants(each=each):
        (inside / f"{name}.onnx").write_bytes(content)


def mutants(*, each: int) -> Iterator[tuple[str, bytes]]:
    for base in BASES:
        content = (FOLDER / f"{base}.onnx").read_bytes()
        for mutation in MUTATIONS:
            for number in range(each):
                model = onnx.load_model_from_string(content)
                mutation(model, np.random.default_rng([number, len(base)]))
                yield f"{base}{mutation.__name__}_{number}", model.SerializeToString()
        for share in (0.02, 0.3, 0.6, 0.95):
            yield f"{base}_truncated_{share}", content[: int(len(content) * share)]


def main(folder: Path) -> None:
    """Read every file; print a line of JSON each, and the peak memory at the end."""
    from qbench.errors import ModelError
    from qbench.graph import read_onnx

    for path in sorted(folder.glob("*.onnx")):
        try:
            read_onnx(path)
            outcome = ""
        except ModelError as error:
            outcome = str(error)
        sys.stdout.write(json.dumps({"file": path.name, "refusal": outcome}) + "\n")
    peak = _peak_bytes()
    sys.stdout.write(json.dumps({"peak_bytes": peak}) + "\n")


def _peak_bytes() -> int:
    """Return this process's peak of memory; on Linux not what `getrusage` tells, which begins with its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
