// Blocks for inference as an operator of torch. Several blocks, one behind the other, are one call: an image stays in the
// caches on its way through all of them, and threads wait for each other once. Where they share an image, they wait behind
// every block.
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "block.h"
#include "tensors.h"

namespace lst {
namespace {

constexpr int TENSORS = 8;        // of a block: w1, b1, w2, b2, w3, b3, source, scale; the last two may be empty
constexpr int ROWS_A_THREAD = 4;  // at least, where threads share an image: the rows around them are computed twice

struct Step {
    BlockLayer layer;
    void (*run)(const BlockLayer&, const float*, float*, float*, int, int);
    int64_t scratch;

    int out_height() const { return (layer.height - 1) / layer.stride + 1; }
    int out_width() const { return (layer.width - 1) / layer.stride + 1; }
    int64_t out_values() const { return (int64_t)out_height() * out_width() * 4 * layer.channels; }
};

Step step_of(TensorList tensors, int64_t stride, double tau, int height, int width, int inputs) {
    const Tensor &w1 = tensors[0], &w2 = tensors[2], &w3 = tensors[4], &source = tensors[6];
    const int c = (int)tensors[1].numel();
    TORCH_CHECK(height > 0 && width > 0, "images must have pixels");
    check_size(1, width + 2, std::max(inputs, 4 * c));  // whole images are counted in 64 bits, rows in 32
    const bool diagonal = w2.numel() == c, same = source.numel() == 0;
    TORCH_CHECK(w1.numel() == (int64_t)inputs * c && (diagonal || w2.numel() == (int64_t)c * c) &&
                    tensors[3].numel() == c && w3.numel() == 36 * c && tensors[5].numel() == 4 * c,
                "the weights of a block do not fit its input");
    TORCH_CHECK(w1.size(-1) == w3.size(-1) && (diagonal || w2.size(-1) == w3.size(-1)),
                "the weights of a block must be packed for the same vectors");
    TORCH_CHECK(same ? stride == 1 && inputs == 4 * c
                     : (stride == 1 || stride == 2) && source.numel() == 4 * c && tensors[7].numel() == 4 * c,
                "the shortcut of a block does not fit its input");
    Step step;
    step.layer = {height,
                  width,
                  inputs,
                  c,
                  (int)stride,
                  pointwise_weight(w1, inputs, c, false),
                  values(tensors[1], c),
                  diagonal ? values(w2, c) : pointwise_weight(w2, c, c, false),
                  values(tensors[3], c),
                  filters(w3, c),
                  values(tensors[5], 4 * c),
                  diagonal,
                  same ? nullptr : channels_of(source, inputs),
                  same ? nullptr : values(tensors[7], 4 * c),
                  (float)tau};
    with_lanes(w3.size(-1), [&](auto w) {
        step.run = Block<w.value>::run;
        step.scratch = Block<w.value>::scratch(step.layer);
    });
    return step;
}

class Chain {
   public:
    Chain(const Tensor& x, TensorList weights, at::IntArrayRef strides, at::ArrayRef<double> taus) {
        TORCH_CHECK(!strides.empty() && strides.size() == taus.size() && weights.size() == TENSORS * strides.size(),
                    "every block has ", TENSORS, " tensors, a stride and a tau");
        int height = (int)x.size(2), width = (int)x.size(3), inputs = (int)x.size(1);
        for (size_t i = 0; i < strides.size(); i++) {
            steps.push_back(step_of(weights.slice(TENSORS * i, TENSORS), strides[i], taus[i], height, width, inputs));
            const Step& step = steps.back();
            height = step.out_height(), width = step.out_width(), inputs = 4 * step.layer.channels;
            scratch = std::max(scratch, step.scratch);
            if (i + 1 < strides.size()) between = std::max(between, (step.out_values() + 15) / 16 * 16);
        }
    }

    Tensor output(const Tensor& x) const {
        const Step& last = steps.back();
        return new_images(x, 4 * last.layer.channels, last.out_height(), last.out_width());
    }

    // Whole images, a thread each. A block whose residual is its input overwrites it.
    void run(const float* x, float* out, int64_t images) const {
        const int64_t in_values = (int64_t)steps[0].layer.height * steps[0].layer.width * steps[0].layer.inputs;
        at::parallel_for(0, images, 1, [&](int64_t first, int64_t end) {
            Scratch memory(scratch + 2 * between);
            float* const halves[2] = {memory.memory + scratch, memory.memory + scratch + between};
            for (int64_t n = first; n < end; n++) {
                const float* from = x + n * in_values;
                for (const Step& step : steps) {
                    float* to = halves[from == halves[0]];
                    if (!step.layer.source && from != x + n * in_values) to = const_cast<float*>(from);
                    if (&step == &steps.back()) to = out + n * step.out_values();
                    step.run(step.layer, from, to, memory.memory, 0, step.out_height());
                    from = to;
                }
            }
        });
    }

    // One image, whose rows all threads share, block by block.
    void run_rows(const float* x, float* out) const {
        Scratch memory(2 * between);
        float* const halves[2] = {memory.memory, memory.memory + between};
        for (const Step& step : steps) {
            float* to = &step == &steps.back() ? out : halves[x == halves[0]];
            const int64_t share = (step.out_height() - 1) / at::get_num_threads() + 1;
            const int64_t rows = std::max<int64_t>(share, ROWS_A_THREAD);
            at::parallel_for(0, step.out_height(), rows, [&](int64_t first, int64_t end) {
                Scratch own(step.scratch);
                step.run(step.layer, x, to, own.memory, (int)first, (int)end);
            });
            x = to;
        }
    }

   private:
    std::vector<Step> steps;
    int64_t scratch = 0, between = 0;
};

// Threads take whole images. They share the last ones, if these would keep at most half of them busy.
Tensor blocks(const Tensor& x, TensorList weights, at::IntArrayRef strides, at::ArrayRef<double> taus) {
    check_format(x);
    const Chain chain(x, weights, strides, taus);
    Tensor out = chain.output(x);
    const int64_t images = x.size(0), threads = at::get_num_threads(), left = images % threads;
    const int64_t shared = 2 * left <= threads ? left : 0;
    const float* values_of_images = x.const_data_ptr<float>();
    if (images > shared) chain.run(values_of_images, out.mutable_data_ptr<float>(), images - shared);
    for (int64_t n = images - shared; n < images; n++) chain.run_rows(read(x, n), write(out, n));
    return out;
}

// relu(bias + W x), all pixels of all images alike.
Tensor pointwise_relu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    check_format(x);
    const int64_t inputs = x.size(1), outputs = bias.numel(), pixels = x.size(0) * x.size(2) * x.size(3);
    TORCH_CHECK(weight.numel() == inputs * outputs, "the weight does not fit the input");
    Tensor out = new_images(x, outputs, x.size(2), x.size(3));
    const float *from = x.const_data_ptr<float>(), *b = values(bias, outputs);
    const float* w = pointwise_weight(weight, inputs, outputs, false);
    float* to = out.mutable_data_ptr<float>();
    with_lanes(weight.size(-1), [&](auto lanes) {
        at::parallel_for(0, (pixels - 1) / PIXELS_AT_ONCE + 1, 1, [&](int64_t first, int64_t end) {
            for (int64_t n = first * PIXELS_AT_ONCE; n < std::min(end * PIXELS_AT_ONCE, pixels); n += PIXELS_AT_ONCE)
                Block<lanes.value>::pointwise_relu(from + n * inputs, to + n * outputs,
                                                   (int)std::min<int64_t>(PIXELS_AT_ONCE, pixels - n), (int)inputs,
                                                   (int)outputs, w, b);
        });
    });
    return out;
}

}  // namespace
}  // namespace lst

TORCH_LIBRARY_FRAGMENT(lst_robust, m) {
    m.def("blocks(Tensor x, Tensor[] weights, int[] strides, float[] taus) -> Tensor");
    m.def("pointwise_relu(Tensor x, Tensor weight, Tensor bias) -> Tensor");
}

TORCH_LIBRARY_IMPL(lst_robust, CPU, m) {
    m.impl("blocks", lst::blocks);
    m.impl("pointwise_relu", lst::pointwise_relu);
}
