"""ONNX Runtime given NumPy arrays: a model of one node."""

from __future__ import annotations

from typing import Any

import onnx
import onnxruntime

from upconv._bench.task import Call, Task, Unable

__all__ = ["OnnxRuntime"]

TYPES = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "FLOAT16", "bfloat16": "BFLOAT16"}
OPSET, IR_VERSION = 17, 8  # old enough for every ONNX Runtime of today


class OnnxRuntime:
    """`ConvTranspose`, whose weight is ours; and `Conv` for the way back."""

    def __init__(self, threads: int) -> None:
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 3

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def prepare(self, task: Task) -> Call:
        if task.verb == "dweight":
            raise Unable("no op for the weight")
        x, weight, cotangent = task.values()
        given = {"x": x if task.verb == "forward" else cotangent}
        model = _model(task)
        if task.prepared:  # a constant, which ONNX Runtime lays out when it reads the model
            model.graph.initializer.append(onnx.numpy_helper.from_array(weight, model.graph.input.pop().name))
        else:
            given["weight"] = weight
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), self.options, providers=["CPUExecutionProvider"]
        )
        return lambda: session.run(None, given)[0]

    def to_numpy(self, result: Any) -> Any:
        return result


def _model(task: Task) -> Any:
    layer, helper, kind = task.layer, onnx.helper, getattr(onnx.TensorProto, TYPES[task.dtype])
    forward = task.verb == "forward"
    words: dict[str, Any] = {
        "strides": layer.each("stride"),
        "dilations": layer.each("dilation"),
        "group": layer.groups,
    }
    words |= {"pads": layer.each("padding") * 2, "kernel_shape": layer.weight[2:]}
    if forward:
        words["output_padding"] = layer.each("output_padding")
    node = helper.make_node("ConvTranspose" if forward else "Conv", ["x", "weight"], ["y"], **words)
    shapes = (layer.x if forward else layer.y, layer.weight)
    inputs = [helper.make_tensor_value_info(*pair) for pair in (("x", kind, shapes[0]), ("weight", kind, shapes[1]))]
    outputs = [helper.make_tensor_value_info("y", kind, layer.result(task.verb))]
    graph = helper.make_graph([node], "layer", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
