// Kernels as operators of torch, torch.ops.lst_robust: float32 on the CPU, (N, C, H, W) in channels last. Each refuses
// what does not fit, as a wrong size would read or write beyond its memory.
// What a call computes does not depend on how many threads there are. `affine` is [scale, shift] or [].
#include <torch/library.h>

#include "tensors.h"

namespace lst {
namespace {

int64_t lanes() { return widest_lanes(); }

void tail_(const Tensor& v, const Tensor& residual, const Tensor& out, int64_t stride, TensorList affine,
           const Tensor& weight, const Tensor& bias, double tau) {
    Size size = size_of(v, stride);
    for (const Tensor& wide : {residual, out})
        check_images(wide, v, 4 * size.channels, size.out_height(), size.out_width());
    Affine bn = as_affine(affine, size.channels);
    const float *w_s = filters(weight, size.channels), *b = values(bias, 4 * size.channels);
    with_lanes(weight.size(-1), [&](auto w) {
        using Kernels = Bottleneck<w.value>;
        over_images(v.size(0), Kernels::tail_scratch(size), [&](Work work, int64_t n) {
            Kernels::tail(work, read(v, n), read(residual, n), write(out, n), size, bn, w_s, b, tau);
        });
    });
}

Tensor shortcut(const Tensor& x, int64_t stride, const Tensor& source, const Tensor& scale, const Tensor& shift) {
    Size size = size_of(x, stride);
    int outputs = (int)source.numel();
    const int32_t* from = channels_of(source, size.channels);
    Affine affine{values(scale, outputs), values(shift, outputs)};
    Tensor out = new_images(x, outputs, size.out_height(), size.out_width());
    over_images(x.size(0), Shortcut::forward_scratch(size, outputs), [&](Work work, int64_t n) {
        Shortcut::forward(work, read(x, n), write(out, n), size, outputs, from, affine);
    });
    return out;
}

}  // namespace
}  // namespace lst

// kernels.h says what each computes.
TORCH_LIBRARY(lst_robust, m) {
    m.def("lanes() -> int", lst::lanes);
    m.def(
        "tail_(Tensor v, Tensor residual, Tensor(a!) out, int stride, Tensor[] affine, Tensor weight, Tensor bias, "
        "float tau) -> ()");
    m.def("shortcut(Tensor x, int stride, Tensor source, Tensor scale, Tensor shift) -> Tensor");
}

TORCH_LIBRARY_IMPL(lst_robust, CPU, m) {
    m.impl("tail_", lst::tail_);
    m.impl("shortcut", lst::shortcut);
}
