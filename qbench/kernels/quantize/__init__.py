"""Float32 to codes and back: `quantize_f32_u8` and fake quantization."""
