// The block from T_s on.
#include "convolution.h"
#include "kernels.h"
#include "spatial.h"

namespace lst {

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

template struct Bottleneck<LST_WIDTH>;

}  // namespace lst
