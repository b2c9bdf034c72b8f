// The algebra of a BN over a batch and of weights, a few operations a channel: as operators of torch they would take
// longer than all they compute. Statistics are float64 (3, channels): mean, variance and 1 / sqrt(variance + eps).
#include <torch/library.h>

#include <cmath>
#include <optional>

#include "tensors.h"

namespace lst {
namespace {

// Moves running statistics as nn.BatchNorm2d does: the running variance is the unbiased one. momentum: none for the mean
// of all batches.
void move_statistics_(const Tensor& running_mean, const Tensor& running_variance, const Tensor& batches,
                      const Tensor& statistics, int64_t count, std::optional<double> momentum) {
    TORCH_CHECK(statistics.dim() == 2 && statistics.size(0) >= 2, "statistics are a mean and a variance a channel");
    int64_t c = statistics.size(1);
    const double* mean = values<double>(statistics, statistics.numel());
    values(running_mean, c), values(running_variance, c), values<int64_t>(batches, 1);
    int64_t seen = ++*batches.mutable_data_ptr<int64_t>();
    double unbiased = (double)count / std::max<int64_t>(count - 1, 1), share = momentum ? *momentum : 1.0 / seen;
    auto move = [=](float& value, double to) { value += (float)share * ((float)to - value); };
    for (int64_t i = 0; i < c; i++) {
        move(running_mean.mutable_data_ptr<float>()[i], mean[i]);
        move(running_variance.mutable_data_ptr<float>()[i], mean[c + i] * unbiased);
    }
}

// From sums (2, channels) of `count` values a channel and of their squares: the statistics; the BN's scale and shift.
Triple batch_norm(const Tensor& sums, int64_t count, const Tensor& gamma, const Tensor& beta, double eps) {
    int64_t c = sums.size(-1);
    Tensor statistics = sums.new_empty({3, c}), scale = gamma.new_empty({c}), shift = gamma.new_empty({c});
    const double* sum = values<double>(sums, 2 * c);
    const Tensor weight = gamma.contiguous(), bias = beta.contiguous();  // one value for all channels may be expanded
    const float *of_weight = values(weight, c), *of_bias = values(bias, c);
    double* mean = statistics.mutable_data_ptr<double>();
    for (int64_t i = 0; i < c; i++) {
        mean[i] = sum[i] / count;
        double variance = std::max(sum[c + i] / count - mean[i] * mean[i], 0.0);
        double inverse = 1 / std::sqrt(variance + eps), factor = of_weight[i] * inverse;
        mean[c + i] = variance, mean[2 * c + i] = inverse;
        scale.mutable_data_ptr<float>()[i] = (float)factor;
        shift.mutable_data_ptr<float>()[i] = (float)(of_bias[i] - mean[i] * factor);
    }
    return {statistics, scale, shift};
}

// From sums (2, channels) of g, the gradient of the BN's output, and of g x: the gradients of gamma and beta, and slopes
// (3, channels) a, b, e, with which a g + b x + e is the gradient of the BN's input x.
Triple batch_norm_backward(const Tensor& statistics, const Tensor& gamma, const Tensor& sums, int64_t count) {
    int64_t c = sums.size(-1);
    Tensor slopes = gamma.new_empty({3, c}), dgamma = gamma.new_empty({c}), dbeta = gamma.new_empty({c});
    const double *sum = values<double>(sums, 2 * c), *mean = values<double>(statistics, 3 * c);
    const Tensor weight = gamma.contiguous();
    const float* of_weight = values(weight, c);
    float* to = slopes.mutable_data_ptr<float>();
    for (int64_t i = 0; i < c; i++) {
        double inverse = mean[2 * c + i], of_gamma = inverse * (sum[c + i] - mean[i] * sum[i]);
        double a = of_weight[i] * inverse, b = -a * inverse * of_gamma / count;
        to[i] = (float)a, to[c + i] = (float)b, to[2 * c + i] = (float)(-a * sum[i] / count - b * mean[i]);
        dgamma.mutable_data_ptr<float>()[i] = (float)of_gamma;
        dbeta.mutable_data_ptr<float>()[i] = (float)sum[i];
    }
    return {dgamma, dbeta, slopes};
}

// The weight of a 1x1 convolution (outputs, inputs, ...), or the transposed one, as (outputs / width, inputs, width).
Tensor pack_pointwise(const Tensor& weight, int64_t width, bool transposed) {
    TORCH_CHECK(weight.dim() >= 2 && weight.numel() == weight.size(0) * weight.size(1),
                "a tensor of sizes ", weight.sizes(), " is no weight of a 1x1 convolution");
    int64_t rows = weight.size(0), columns = weight.size(1), outputs = transposed ? columns : rows;
    int64_t inputs = transposed ? rows : columns;
    TORCH_CHECK(width > 0 && outputs % width == 0, outputs, " outputs are no vectors of ", width, " floats");
    Tensor packed = weight.new_empty({outputs / width, inputs, width}), from = weight.contiguous();
    const float* read = values(from, weight.numel());
    float* to = packed.mutable_data_ptr<float>();
    if (transposed) {
        for (int64_t first = 0; first < outputs; first += width)
            for (int64_t i = 0; i < inputs; i++, to += width) std::copy_n(read + i * outputs + first, width, to);
    } else {
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t i = 0; i < inputs; i++) to[(o / width * inputs + i) * width + o % width] = *read++;
    }
    return packed;
}

// T_s's packed filters (c/W, 9, 4, W), each times its scale, (4c).
Tensor scale_filters(const Tensor& packed, const Tensor& scale) {
    Tensor result = packed.new_empty(packed.sizes());
    int64_t width = packed.size(-1), c = scale.numel() / 4;
    const float *from = filters(packed, c), *factors = values(scale, 4 * c);
    float* to = result.mutable_data_ptr<float>();
    for (int64_t first = 0; first < c; first += width)
        for (int64_t i = 0; i < 36; i++)
            for (int64_t o = first; o < first + width; o++) *to++ = *from++ * factors[i % 4 * c + o];
    return result;
}

}  // namespace
}  // namespace lst

TORCH_LIBRARY_FRAGMENT(lst_robust, m) {
    m.def("batch_norm(Tensor sums, int count, Tensor gamma, Tensor beta, float eps) -> (Tensor, Tensor, Tensor)");
    m.def(
        "move_statistics_(Tensor(a!) running_mean, Tensor(b!) running_variance, Tensor(c!) batches, Tensor statistics, "
        "int count, float? momentum) -> ()");
    m.def("pack_pointwise(Tensor weight, int width, bool transposed) -> Tensor");
    m.def("scale_filters(Tensor packed, Tensor scale) -> Tensor");
    m.def(
        "batch_norm_backward(Tensor statistics, Tensor gamma, Tensor sums, int count) -> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(lst_robust, CPU, m) {
    m.impl("batch_norm", lst::batch_norm);
    m.impl("move_statistics_", lst::move_statistics_);
    m.impl("batch_norm_backward", lst::batch_norm_backward);
    m.impl("pack_pointwise", lst::pack_pointwise);
    m.impl("scale_filters", lst::scale_filters);
}
