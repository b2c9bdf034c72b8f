// How many multiply-adds a second one core does in registers, with vectors of LST_WIDTH floats.
#include <cstdio>
#include <ctime>

#include "vectors.h"

static double seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main() {
    using Vector = lst::vec<LST_WIDTH>;
    const int sums = 12, steps = 5000000;
    double best = 0;
    for (int round = 0; round < 7; round++) {
        const float start[LST_WIDTH] = {};
        Vector sum[sums], factor = lst::load_once<LST_WIDTH>(start);
        for (auto& each : sum) each = lst::load_once<LST_WIDTH>(start);  // the compiler must not see that all are the same
        const double began = seconds();
        for (int i = 0; i < steps; i++)
            for (auto& each : sum) each = each * factor + factor;
        const double took = seconds() - began;
        float kept[LST_WIDTH] = {};
        for (auto& each : sum) {
            lst::store(kept, each);
            if (kept[0] > 0) return 1;
        }
        const double rate = 1e-9 * sums * LST_WIDTH * steps / took;
        if (rate > best) best = rate;
    }
    printf("%.1f\n", best);
}
