// The whole bottleneck for inference, a few rows at a time: z goes through a ring of rows that lies in the caches, and
// T_s's output, four times as wide, stays in registers.
#include "block.h"

#include "convolution.h"

namespace lst {
namespace {

template <int W>
constexpr int NEIGHBOURS = REGISTERS<W> == 32 ? 4 : 3;  // so many pixels times four filters fit

int round_up(int floats) { return (floats + 15) / 16 * 16; }

// How `scratch` is divided. z is (channels / W, rows, width + 2, W): its rows are a ring, with a column of zeros at both
// ends, and the last one is all zeros.
template <int W>
struct Plan {
    int at_once, rows, pitch, plane, z, y, taken, places, size;

    explicit Plan(const BlockLayer& layer) {
        int c = layer.channels, out_width = (layer.width - 1) / layer.stride + 1;
        at_once = (PIXELS_AT_ONCE - 1) / layer.width + 1;
        at_once = at_once < layer.height ? at_once : layer.height;
        rows = at_once + 2;
        pitch = (layer.width + 2) * W;
        plane = (rows + 1) * pitch;
        z = 0;
        y = z + round_up(c / W * plane);
        taken = y + round_up(at_once * layer.width * c);
        places = taken + round_up(layer.source ? out_width * 4 * c : 0);
        size = places + round_up(at_once * layer.width);
    }
};

template <int W>
inline void clear_borders(float* z, int planes, const Plan<W>& plan) {
    for (int plane = 0; plane < planes; plane++, z += plan.plane) {
        for (int r = 0; r < plan.rows; r++)
            for (int i = 0; i < W; i++) z[r * plan.pitch + i] = z[(r + 1) * plan.pitch - W + i] = 0;
        for (int i = 0; i < plan.pitch; i++) z[plan.rows * plan.pitch + i] = 0;
    }
}

template <int W>
inline void convolve_relu(const float* x, float* out, int pixels, int inputs, int outputs, const float* w,
                          const float* bias) {
    convolve_to<W>(
        x, pixels, inputs, outputs, w, bias, W, [=](int p) { return out + p * outputs; },
        [](vec<W> v) { return relu(v); });
}

// z of some pixels, at z + places[pixel].
template <int W>
inline void mix(const BlockLayer& layer, const float* x, int pixels, float* y, float* z, int plane,
                const int32_t* places) {
    int c = layer.channels;
    float tau = layer.tau;
    convolve_relu<W>(x, y, pixels, layer.inputs, c, layer.w1, layer.b1);
    if (!layer.diagonal)
        return convolve_to<W>(
            y, pixels, c, c, layer.w2, layer.b2, plane, [=](int p) { return z + places[p]; },
            [=](vec<W> v) { return shrink(v, tau); });
    for (int p = 0; p < pixels; p++)
        for (int o = 0; o < c; o += W) {
            vec<W> value = load<W>(y + p * c + o) * load<W>(layer.w2 + o) + load<W>(layer.b2 + o);
            store(z + places[p] + o / W * plane, shrink(value, tau));
        }
}

// Where the residual of channel k c + i of an output pixel is found: at[k] + pixel * step[k] + i.
struct Residual {
    const float* at[4];
    int step[4];
};

Residual same(const float* x, int c) {
    Residual residual;
    for (int k = 0; k < 4; k++) residual.at[k] = x + k * c, residual.step[k] = 4 * c;
    return residual;
}

// The chosen channels of a row. Channels that lie side by side in x are read from there. Others are taken one by one:
// the processor's own gathering is no faster. What two filters have in common is taken once.
Residual chosen(const BlockLayer& layer, const float* x, int out_width, float* taken) {
    int c = layer.channels, step = layer.stride * layer.inputs;
    Residual residual;
    for (int k = 0; k < 4; k++, taken += out_width * c) {
        const int32_t* source = layer.source + k * c;
        bool neighbours = true;
        for (int i = 1; i < c; i++) neighbours &= source[i] == source[0] + i;
        if (neighbours) {
            residual.at[k] = x + source[0], residual.step[k] = step;
        } else if (k > 0 && std::memcmp(source, source - c, sizeof(int32_t) * c) == 0) {
            residual.at[k] = residual.at[k - 1], residual.step[k] = residual.step[k - 1];
        } else {
            residual.at[k] = taken, residual.step[k] = c;
            for (int p = 0; p < out_width; p++)
                for (int i = 0; i < c; i++) taken[p * c + i] = x[p * step + source[i]];
        }
    }
    return residual;
}

// sum[p][k] += T_s at P neighbouring output pixels: W channels, 4 filters. rows: z's, at the first; w: (9, 4, W).
template <int W, int STRIDE, int P>
inline void respond_from_rows(const float* const (&rows)[3], int at, const float* w, vec<W> (&sum)[P][4]) {
#pragma GCC unroll 3
    for (int r = 0; r < 3; r++)
#pragma GCC unroll 3
        for (int s = 0; s < 3; s++, w += 4 * W) {
            vec<W> value[P];
            for (int p = 0; p < P; p++) value[p] = load_once<W>(rows[r] + at + (s + p * STRIDE) * W);
            for (int k = 0; k < 4; k++) {
                vec<W> filter = load_once<W>(w + k * W);
                for (int p = 0; p < P; p++) sum[p][k] += filter * value[p];
            }
        }
}

// A row of the output. rows: z's rows around it, of the first W channels, from the column of zeros on.
template <int W, int STRIDE, bool SCALED>
inline void spread(const BlockLayer& layer, const float* const (&rows)[3], int plane, const Residual& residual,
                   int out_width, float* out) {
    const int c = layer.channels;
    const float *w = layer.w3, *bias = layer.b3, *scale = layer.scale, tau = layer.tau;
    in_groups<NEIGHBOURS<W>>(0, out_width, [=](auto group, int x) {
        constexpr int P = group.value;
        for (int o = 0; o < c; o += W) {
            vec<W> sum[P][4];
            for (int k = 0; k < 4; k++) {
                vec<W> shift = load<W>(bias + k * c + o);
                const float* from = anew(residual.at[k] + x * residual.step[k] + o);
                for (int p = 0; p < P; p++, from = anew(from + residual.step[k]))
                    sum[p][k] = (SCALED ? load<W>(from) * load<W>(scale + k * c + o) : load<W>(from)) + shift;
            }
            respond_from_rows<W, STRIDE, P>(rows, o / W * plane + x * STRIDE * W, w + 36 * o, sum);
            for (int p = 0; p < P; p++) {
                float* to = anew(out + 4 * (x + p) * c + o);
                for (int k = 0; k < 4; k++, to = anew(to + c)) store(to, shrink(sum[p][k], tau));
            }
        }
    });
}

}  // namespace

template <int W>
int64_t Block<W>::scratch(const BlockLayer& layer) {
    return Plan<W>(layer).size;
}

template <int W>
LST_KERNEL void Block<W>::run(const BlockLayer& layer, const float* x, float* out, float* scratch, int first, int end) {
    const Plan<W> plan(layer);
    const int c = layer.channels, width = layer.width, stride = layer.stride, out_width = (width - 1) / stride + 1;
    float* z = scratch + plan.z;
    int32_t* places = (int32_t*)(scratch + plan.places);
    clear_borders(z, c / W, plan);
    const int last = (end - 1) * stride + 1 < layer.height ? (end - 1) * stride + 1 : layer.height - 1;
    int next = first * stride > 0 ? first * stride - 1 : 0;  // the first row that is not in z yet
    for (int row = first; row < end; row++) {
        while (next <= row * stride + 1 && next <= last) {
            int count = last + 1 - next < plan.at_once ? last + 1 - next : plan.at_once;
            for (int r = 0; r < count; r++)
                for (int i = 0; i < width; i++)
                    places[r * width + i] = (next + r) % plan.rows * plan.pitch + (i + 1) * W;
            const float* from = x + (int64_t)next * width * layer.inputs;
            mix<W>(layer, from, count * width, scratch + plan.y, z, plan.plane, places);
            next += count;
        }
        const float* rows[3];
        for (int t = 0; t < 3; t++) {
            int from = row * stride + t - 1;
            rows[t] = z + (0 <= from && from < layer.height ? from % plan.rows : plan.rows) * plan.pitch;
        }
        const float* kept = x + (int64_t)row * stride * width * layer.inputs;
        float* to = out + (int64_t)row * out_width * 4 * c;
        if (!layer.source) {
            spread<W, 1, false>(layer, rows, plan.plane, same(kept, c), out_width, to);
        } else {
            Residual residual = chosen(layer, kept, out_width, scratch + plan.taken);
            if (stride == 1)
                spread<W, 1, true>(layer, rows, plan.plane, residual, out_width, to);
            else
                spread<W, 2, true>(layer, rows, plan.plane, residual, out_width, to);
        }
    }
}

template <int W>
LST_KERNEL void Block<W>::pointwise_relu(const float* x, float* out, int pixels, int inputs, int outputs,
                                         const float* w, const float* bias) {
    convolve_relu<W>(x, out, pixels, inputs, outputs, w, bias);
}

template struct Block<LST_WIDTH>;

}  // namespace lst
