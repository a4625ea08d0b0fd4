// SPDX-License-Identifier: Apache-2.0
// What a kernel on a GPU has beside the steps: its argument, the particles of a team while they move, the loop that
// only goes forward. A tile is what one warp (or, of several warps, one block) works on. Kept rows lie in
// global memory as [tile][step][row][T][W], so that the particles of a warp are side by side.

import Programs

enum CUDALoops {
  static func arguments(_ steps: StepText) -> [String] {
    let pointers = KernelArguments.rollout + CUDAMemoryPlan.arguments
    return ["struct arguments {"]
      + KernelArguments.members(pointers, dataArrays: steps.rollout.dataArrays) + [
        "  int64_t particles, horizon, segment;  // steps kept at once",
        "  uint32_t key[3];  // seed low, seed high, iteration",
        "};",
      ] + [transposedOffsets(steps)]
  }

  /// Where each transposed matrix begins.
  private static func transposedOffsets(_ steps: StepText) -> String {
    var offset = 0
    var lines = ["enum {"]
    for matrix in steps.transposedMatrices {
      lines.append("  TRANSPOSED_\(matrix.array)_\(matrix.offset) = \(offset),")
      offset += matrix.rows * matrix.columns
    }
    return (lines + ["};"]).joined(separator: "\n")
  }

  /// Copies matrices so that products find them transposed.
  private static func transposition(_ steps: StepText) -> String {
    let copies = steps.transposedMatrices.map { matrix in
      "  transpose(a->\(matrix.array) + \(matrix.offset), \(matrix.rows), \(matrix.columns), "
        + "a->transposed + TRANSPOSED_\(matrix.array)_\(matrix.offset));"
    }
    return """
      INLINE void transpose(const float *from, int64_t rows, int64_t columns, float *to) {
        for (int64_t k = blockIdx.x * blockDim.x + threadIdx.x; k < rows * columns; k += gridDim.x * blockDim.x)
          to[k % columns * rows + k / columns] = from[k];
      }
      extern "C" __global__ void bagel_transpose(const __grid_constant__ struct arguments arguments) {
        const struct arguments *a = &arguments;
      \(copies.joined(separator: "\n"))
      }
      """
  }

  static func text(_ steps: StepText) -> String {
    """
    \(forward(steps))
    \(steps.isDifferentiated ? CUDAGradientLoop.text(steps) : "")
    \(steps.transposedMatrices.isEmpty ? "" : transposition(steps))
    """
  }

  /// The constants that step functions use, so they stand before them.
  static func constants(_ steps: StepText, _ schedule: CUDASchedule) -> String {
    var offset = 0
    var constants: [String] = []
    for (k, accumulator) in steps.accumulators.enumerated() {
      constants.append("ACCUMULATOR_\(k) = \(offset)")
      offset += size(accumulator.layout, lanes: schedule.lanes)
    }
    constants.append("ACCUMULATORS = \(max(offset, 1))")
    let stage = steps.largeMatrices.map { max($0.rows, $0.columns) }.max() ?? 1
    constants.append("STAGE = \(stage)")
    return "enum { \(constants.joined(separator: ", ")) };"
  }

  private static func size(_ layout: StepText.Accumulator.Layout, lanes: Int) -> Int {
    func slots(_ n: Int) -> Int { (n + lanes - 1) / lanes }
    return switch layout {
    case .whole(let count): count
    case .spread(let count): slots(count)
    case .rows(let rows, let columns): slots(rows) * columns
    case .columns(let rows, let columns): rows * slots(columns)
    }
  }

  private static func forward(_ steps: StepText) -> String {
    """
    enum { KEPT_ROWS = S + TAPE, SCRATCH_ROWS = \(steps.functions.scratchRows) };

    INLINE int64_t tile_index() {
      return WARPS > 1 ? blockIdx.x : (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    }
    // Which of the W particles of a warp this thread works on, and whether it speaks for its team.
    INLINE int column() { return threadIdx.x % 32 / LANES; }
    INLINE bool is_first_of_team() { return member() == 0; }
    INLINE int64_t particle_of(int64_t tile, int t) { return (tile * T + t) * W + column(); }

    // One team's particles while they move.
    struct particles {
      vf state[S][T], goal[G_OR_1][T], total[TOTALS][T], alive_steps[T], outside_steps[T], draws[DRAWS_OR_1][T];
      vi alive[T];
      int active[T];
      vf cache[DRAWS_OR_1][T];  // lane l: draws of step cached + l
      int cached;
      vu first;
      float *scratch;
      kept_row functions;
    };

    // Lanes draw for LANES steps at once and hand them out.
    INLINE void draw(const struct arguments *a, struct particles *p, int k, bool backwards) {
      if (k < p->cached || k >= p->cached + LANES) {
        p->cached = backwards && LANES > 1 ? (k < LANES ? 0 : k - LANES + 1) : k;
        step_draws(a, p->first, (uint32_t)p->cached + lane(), p->cache);
      }
      EACH(i, DRAWS) p->draws[i][t] = from_lane(p->cache[i][t], k - p->cached);
    }

    INLINE void start(const struct arguments *a, struct particles *p) {
      int64_t tile = tile_index();
      vf reward[TOTALS][T];
      vi outside[T];
      p->first = (uint32_t)(tile * T * W + column());
      p->cached = -2 * LANES;
      p->scratch = a->scratch + ((tile * W + column()) * SCRATCH_ROWS) * T;
      p->functions = a->function_draws + tile * F * T * W + column();
      UNROLL for (int t = 0; t < T; ++t) {
        int64_t b = particle_of(tile, t);
        p->active[t] = b < a->particles;
        if (b >= a->particles) b = a->particles - 1;
        UNROLL for (int i = 0; i < S; ++i) p->state[i][t] = __ldg(a->initial_states + b * S + i);
        UNROLL for (int i = 0; i < G; ++i) p->goal[i][t] = __ldg(a->goals + b * G + i);
        p->alive[t] = 1;
        p->alive_steps[t] = p->outside_steps[t] = 0.f;
        outside[t] = 0;
      }
      initial_reward(a, p->active, p->state, p->goal, p->draws, outside, p->scratch, NULL, reward);
      EACH(i, TOTALS) p->total[i][t] = reward[i][t];
    }

    // Moves on the particles whose next state is within the limit; the others stay for good.
    INLINE void advance(struct particles *p, const vf next[S][T], const vf reward[TOTALS][T], const vi outside[T]) {
      EACH(i, \(steps.rollout.stateLength)) p->alive[t] = p->alive[t] && v_magnitude(next[i][t]) <= \(literal(steps.rollout.stateLimit));
      EACH(i, S) p->state[i][t] = v_select(p->alive[t], next[i][t], p->state[i][t]);
      EACH(i, TOTALS) p->total[i][t] += v_select(p->alive[t], reward[i][t], 0.f);
      EACH(i, 1) {
        p->alive_steps[t] += p->alive[t] ? 1.f : 0.f;
        p->outside_steps[t] += outside[t] ? 1.f : 0.f;
      }
    }

    INLINE void store_results(const struct arguments *a, const struct particles *p) {
      int64_t tile = tile_index();
      UNROLL for (int t = 0; t < T; ++t) if (p->active[t] && is_first_of_team()) {
        int64_t b = particle_of(tile, t);
        UNROLL for (int i = 0; i < TOTALS; ++i) a->totals[b * TOTALS + i] = p->total[i][t];
        a->outside_steps[b] = p->outside_steps[t];
        a->alive_steps[b] = p->alive_steps[t];
      }
    }

    INLINE void record(const struct arguments *a, const struct particles *p, float *to, int64_t at, const int length,
                       const vf (*x)[T]) {
      int64_t tile = tile_index();
      UNROLL for (int t = 0; t < T; ++t) if (p->active[t] && is_first_of_team())
        UNROLL for (int i = 0; i < length; ++i)
          to[(at * a->particles + particle_of(tile, t)) * length + i] = x[i][t];
    }

    \(steps.hasTerminal ? terminal : "")extern "C" __global__ void __launch_bounds__(LARGEST_BLOCK)
    bagel_returns(const __grid_constant__ struct arguments arguments) {
      const struct arguments *a = &arguments;
      struct particles particles, *p = &particles;
      vf next[S][T], reward[TOTALS][T], action[U][T];
      vi outside[T];
      start(a, p);
      if (a->state_record) record(a, p, a->state_record, 0, S, p->state);
      for (int k = 0; k < (int)a->horizon; ++k) {
        EACH(i, 1) outside[t] = 0;
        draw(a, p, k, false);
        step(a, p->active, p->state, p->goal, p->draws, outside, p->scratch, p->functions, next, reward, action);
        advance(p, next, reward, outside);
        if (a->state_record) {
          record(a, p, a->state_record, k + 1, S, p->state);
          record(a, p, a->action_record, k, U, action);
        }
      }
    \(steps.hasTerminal ? "  finish(a, p);\n    " : "")  store_results(a, p);
    }
    """
  }

  /// What the last carry earns.
  private static let terminal = """
    INLINE void finish(const struct arguments *a, struct particles *p) {
      vf reward[TOTALS][T];
      vi outside[T];
      EACH(i, 1) outside[t] = 0;
      terminal_reward(a, p->active, p->state, p->goal, p->draws, outside, p->scratch, NULL, reward);
      EACH(i, TOTALS) p->total[i][t] += v_select(p->alive[t], reward[i][t], 0.f);
    }

    """
}
