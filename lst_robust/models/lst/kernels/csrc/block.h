// The whole bottleneck for inference, free of torch. Images are float32, channels last: (height, width, channels).
//
//   z = shrink(b2 + W2 relu(b1 + W1 x))          1x1 convolutions T_r and T_c
//   out = shrink(residual + b3 + T_s z)          four 3x3 depthwise filters a channel, k-major, stride 1 or 2
//
// The residual is x, or scale x[every stride-th pixel, source].
#pragma once

#include <cstdint>

namespace lst {

// T_r and T_c take at least so many pixels at a time where an image has them, so that few are left over after groups of
// 16, 12, 8 or 6.
constexpr int PIXELS_AT_ONCE = 96;

// One block at images of one size. packing.py says how weights are packed; w2 is one weight a channel where T_c is
// diagonal. Without `source` the residual is x itself.
struct BlockLayer {
    int height, width, inputs, channels, stride;
    const float *w1, *b1, *w2, *b2, *w3, *b3;
    bool diagonal;
    const int32_t* source;  // (4 channels)
    const float* scale;
    float tau;
};

// W: floats in a vector. Channels are a multiple of it.
template <int W>
struct Block {
    // Rows first to end - 1 of the output of one image. `out` may be `x` where all rows are asked for at once and the
    // residual is x. What a row holds does not depend on which others are asked for.
    static void run(const BlockLayer&, const float* x, float* out, float* scratch, int first, int end);

    // Floats of memory that `run` needs, at an address that suits every vector.
    static int64_t scratch(const BlockLayer&);

    // A 1x1 convolution alone: relu(bias + W x) at `pixels` pixels. As many as PIXELS_AT_ONCE suit it.
    static void pointwise_relu(const float* x, float* out, int pixels, int inputs, int outputs, const float* w,
                               const float* bias);
};

}  // namespace lst
