// The whole block for inference, and the block from T_s on.
#include "convolution.h"
#include "kernels.h"
#include "spatial.h"

namespace lst {
template <int W>
LST_KERNEL void Bottleneck<W>::block(Work work, const float* x, float* out, Size size, int inputs,
                                     const float* const* weights, float tau) {
    const float *w1 = weights[0], *b1 = weights[1], *w2 = weights[2], *b2 = weights[3], *w3 = weights[4];
    const float* b3 = weights[5];
    int c = size.channels, width = size.width, row = (width + 2) * c;
    float *z = work.scratch, *y = z + size.padded_values();
    clear_border(z, size);
    for (int64_t n = 0; n < work.images; n++, out += size.out_values(4 * c)) {
        for (int r = 0; r < size.height; r++, x += width * inputs) {
            convolve<W>(x, width, inputs, c, w1, [=](vec<W> v, int pixel, int o) {
                store(y + pixel * c + o, relu(v + load<W>(b1 + o)));
            });
            float* to = z + (r + 1) * row + c;
            convolve<W>(y, width, c, c, w2, [=](vec<W> v, int pixel, int o) {
                store(to + pixel * c + o, shrink(v + load<W>(b2 + o), tau));
            });
        }
        spatial<W>(z, size, w3, b3, tau, 0, size.out_pixels(), out, out);
    }
}

template <int W>
LST_KERNEL void Bottleneck<W>::tail(Work work, const float* v, const float* residual, float* out, Size size,
                                    Affine affine, const float* w, const float* bias, float tau) {
    int64_t out_values = size.out_values(4 * size.channels);
    clear_border(work.scratch, size);
    for (int64_t n = 0; n < work.images; n++, v += size.values(), residual += out_values, out += out_values) {
        pad<W>(v, size, affine, tau, work.scratch);
        spatial<W>(work.scratch, size, w, bias, tau, 0, size.out_pixels(), residual, out);
    }
}

template struct Bottleneck<8>;
#ifdef __AVX512F__
template struct Bottleneck<16>;
#endif

}  // namespace lst
