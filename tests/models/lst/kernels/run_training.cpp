// Runs each compiled pass of training on drawn values, and writes all arrays that it computes: how many values, and these.
// test_processors.py compares what this gives on another processor with what it gives on the tests' own.
#include "kernels.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace lst;
constexpr int W = LST_WIDTH, IMAGES = 2;
using Values = std::vector<float>;

uint32_t state = 1;

// Values between low and high, the same on each processor.
Values draw(size_t count, float low = -1, float high = 1) {
    Values values(count);
    for (float& value : values) {
        state = state * 1664525u + 1013904223u;
        value = low + (high - low) * (state >> 8) / float(1 << 24);
    }
    return values;
}

struct Memory {
    Values values;
    explicit Memory(int64_t count) : values(count) {}
    operator Work() { return {IMAGES, values.data()}; }
};

int main(int, char** arguments) {
    FILE* out = fopen(arguments[1], "wb");
    auto write = [&](const Values& values) {
        const int32_t count = values.size();
        fwrite(&count, sizeof count, 1, out);
        fwrite(values.data(), sizeof(float), count, out);
    };
    auto write_sums = [&](const std::vector<double>& sums) { write(Values(sums.begin(), sums.end())); };
    for (int height = 1; height < 12; height += 5)
        for (int c : {W, 4 * W, 24 * W})
            for (int stride : {1, 2}) {
                const float tau = stride == 1 ? 0.2f : 0.f;
                const int wide = 4 * c, next = c + W;
                const Size size{height, height + 2, c, stride};
                const int64_t values = IMAGES * size.values(), outputs = IMAGES * size.out_values(wide);
                const Values v = draw(values), residual = draw(outputs), w = draw(36 * c), bias = draw(wide);
                const Values scale = draw(wide, 0.5, 2), shift = draw(wide), slope = draw(wide);
                const Affine affine{scale.data(), shift.data()};
                const Slopes slopes{scale.data(), slope.data(), shift.data()};

                std::vector<double> sums(2 * wide);
                Training<W>::statistics(Memory(Training<W>::statistics_scratch(size)), v.data(), sums.data(), size,
                                        affine, w.data(), tau);
                write_sums(sums);

                Values made(outputs), y(IMAGES * size.out_values(next));
                std::vector<double> next_sums(2 * next);
                const Values w_next = draw(wide * next);
                Training<W>::tail(Memory(Training<W>::tail_scratch(size, next)), v.data(), residual.data(), made.data(),
                                  size, affine, w.data(), bias.data(), tau,
                                  {w_next.data(), next, y.data(), next_sums.data()});
                write(made), write(y), write_sums(next_sums);

                Values g(outputs), dw_next(wide * next);
                const Values gradient = draw(outputs), dy = draw(y.size());
                const Values a = draw(next), b = draw(next), e = draw(next);
                const Slopes slopes_next{a.data(), b.data(), e.data()};
                ResizeBackward resize{y.data(), dy.data(), w_next.data(), next, slopes_next, dw_next.data()};
                Training<W>::backward_sums(Memory(Training<W>::backward_sums_scratch(size, next)), v.data(), made.data(),
                                           gradient.data(), g.data(), sums.data(), size, affine, w.data(), tau, resize);
                write(g), write_sums(sums), write(dw_next);

                Values dz(values), dw(36 * c);
                sums.assign(2 * c, 0);
                Training<W>::backward(Memory(Training<W>::backward_scratch(size)), v.data(), g.data(), dz.data(),
                                      dw.data(), sums.data(), size, affine, w.data(), slopes, tau);
                write(dz), write(dw), write_sums(sums);

                const int pixels = size.pixels();
                Pointwise<W>::sums(Memory(Pointwise<W>::sums_scratch(c)), v.data(), sums.data(), pixels, c);
                write_sums(sums);
                Values mixed(values), dx(values), dmix(c * c);
                const Values mix = draw(c * c), x = draw(values);
                Pointwise<W>::forward(Memory(Pointwise<W>::forward_scratch(c, c)), x.data(), mixed.data(), sums.data(),
                                      pixels, c, c, mix.data(), affine);
                write(mixed), write_sums(sums);
                Pointwise<W>::mix_backward(Memory(Pointwise<W>::mix_scratch(c)), x.data(), v.data(), dz.data(), dx.data(),
                                           dmix.data(), sums.data(), pixels, c, mix.data(), affine, slopes);
                write(dx), write(dmix), write_sums(sums);
                Pointwise<W>::normalise_backward(Memory(0), v.data(), dz.data(), pixels, c, slopes);
                write(dz);

                Values wide_x = draw(IMAGES * size.out_values(wide)), wide_dx = wide_x;
                Pointwise<W>::resize_backward(Memory(Pointwise<W>::resize_scratch(next)), wide_x.data(), wide_dx.data(),
                                              size.out_pixels(), wide, resize);
                write(wide_dx), write(dw_next);

                std::vector<int32_t> source(wide);
                for (int o = 0; o < wide; o++) source[o] = o / 4;
                Values shortcut(outputs);
                Shortcut::forward(Memory(Shortcut::forward_scratch(size, wide)), v.data(), shortcut.data(), size, wide,
                                  source.data(), affine);
                sums.assign(2 * wide, 0);
                Shortcut::sums(Memory(Shortcut::sums_scratch(size, wide)), v.data(), g.data(), sums.data(), size, wide,
                               source.data());
                Values shortcut_dx(values);
                Shortcut::backward(Memory(Shortcut::backward_scratch(wide)), v.data(), g.data(), shortcut_dx.data(), size,
                                   wide, source.data(), scale.data(), affine);
                write(shortcut), write_sums(sums), write(shortcut_dx);
            }
    return fclose(out);
}
