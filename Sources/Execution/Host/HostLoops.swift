// SPDX-License-Identifier: Apache-2.0
// The two time loops of a kernel on the host. One call runs one tile of T vectors of particles.

enum HostLoops {
  /// The argument structure, filled from a launcher's slots.
  static func arguments(dataArrays: [String]) -> [String] {
    let members = KernelArguments.members(KernelArguments.rollout, dataArrays: dataArrays)
    let names = KernelArguments.rollout.map(\.name) + dataArrays
    let fill = names.enumerated().map { "    .\($1) = pointers[\($0)]," }
    return ["struct arguments {"] + members + [
      "  int64_t particles, horizon;",
      "  uint32_t key[3];  // seed low, seed high, iteration",
      "};",
      "INLINE struct arguments unpack(void *const *pointers, const int64_t *numbers) {",
      "  return (struct arguments){",
    ] + fill + [
      "    .particles = numbers[0], .horizon = numbers[1],",
      "    .key = {(uint32_t)numbers[2], (uint32_t)numbers[3], (uint32_t)numbers[4]}};",
      "}",
    ]
  }

  static func text(_ steps: StepText) -> String {
    """
    // Initial states and goals of a tile; lanes past the last particle repeat it.
    INLINE void load_tile(const struct arguments *a, int64_t tile, vf state[S][T], vf goal[G_OR_1][T],
                          int active[T]) {
      for (int t = 0; t < T; ++t) {
        int64_t first = (tile * T + t) * W, left = a->particles - first;
        active[t] = left < 0 ? 0 : left > W ? W : (int)left;
        for (int l = 0; l < W; ++l) {
          int64_t b = first + l < a->particles ? first + l : a->particles - 1;
          for (int i = 0; i < S; ++i) state[i][t][l] = a->initial_states[b * S + i];
          for (int i = 0; i < G; ++i) goal[i][t][l] = a->goals[b * G + i];
        }
      }
    }

    // A tile's function draws [F][T], packed by the launcher.
    INLINE kept_row tile_functions(const struct arguments *a, int64_t tile) {
      return (kept_row)a->function_draws + tile * F;
    }

    INLINE vu first_particles(int64_t tile) {
      vu particle;
      for (int l = 0; l < W; ++l) particle[l] = (uint32_t)(tile * T * W + l);
      return particle;
    }

    // Everything before the first step, the initial reward included.
    INLINE void start_tile(const struct arguments *a, int64_t tile, vf state[S][T], vf goal[G_OR_1][T],
                           int active[T], vi alive[T], vf alive_steps[T], vf outside_steps[T], vf *scratch,
                           vf total[TOTALS][T]) {
      vf reward[TOTALS][T], draws[DRAWS_OR_1][T];
      vi outside[T];
      load_tile(a, tile, state, goal, active);
      EACH(i, 1) { alive[t] = ~(vi)0; alive_steps[t] = outside_steps[t] = splat(0.f); }
      initial_reward(a, active, state, goal, draws, outside, scratch, NULL, reward);
      EACH(i, TOTALS) total[i][t] = reward[i][t];
    }

    // Moves on the particles whose next state is within the limit; the others stay for good.
    INLINE void advance(vf state[S][T], const vf next[S][T], const vf reward[TOTALS][T], vi alive[T],
                        vf alive_steps[T], vf total[TOTALS][T]) {
      EACH(i, \(steps.rollout.stateLength)) alive[t] &= v_magnitude(next[i][t]) <= \(literal(steps.rollout.stateLimit));
      EACH(i, S) state[i][t] = v_select(alive[t], next[i][t], state[i][t]);
      EACH(i, TOTALS) total[i][t] += v_select(alive[t], reward[i][t], splat(0.f));
      EACH(i, 1) alive_steps[t] += v_select(alive[t], splat(1.f), splat(0.f));
    }

    INLINE void store_results(const struct arguments *a, int64_t tile, const int active[T],
                              const vf total[TOTALS][T], const vf outside_steps[T], const vf alive_steps[T]) {
      for (int t = 0; t < T; ++t)
        for (int l = 0; l < active[t]; ++l) {
          int64_t b = (tile * T + t) * W + l;
          for (int i = 0; i < TOTALS; ++i) a->totals[b * TOTALS + i] = total[i][t][l];
          a->outside_steps[b] = outside_steps[t][l];
          a->alive_steps[b] = alive_steps[t][l];
        }
    }

    INLINE void record(float *to, int64_t at, int64_t particles, int64_t tile, int length,
                       const int active[T], const vf (*x)[T]) {
      for (int t = 0; t < T; ++t)
        for (int l = 0; l < active[t]; ++l)
          for (int i = 0; i < length; ++i)
            to[(at * particles + (tile * T + t) * W + l) * length + i] = x[i][t][l];
    }

    int bagel_lanes(void) { return W; }

    void bagel_returns(void *const *pointers, const int64_t *numbers, int64_t tile, float *workspace) {
      struct arguments arguments = unpack(pointers, numbers), *a = &arguments;
      vf *scratch = (vf *)workspace;
      vf state[S][T], goal[G_OR_1][T], next[S][T], reward[TOTALS][T], action[U][T], draws[DRAWS_OR_1][T];
      vf total[TOTALS][T], alive_steps[T], outside_steps[T];
      vi alive[T], outside[T];
      int active[T];
      vu particle = first_particles(tile);
      kept_row functions = tile_functions(a, tile);
      start_tile(a, tile, state, goal, active, alive, alive_steps, outside_steps, scratch, total);
      if (a->state_record) record(a->state_record, 0, a->particles, tile, S, active, state);
      for (int64_t k = 0; k < a->horizon; ++k) {
        EACH(i, 1) outside[t] = (vi)0;
        step_draws(a, particle, (vu)(uint32_t)k, draws);
        step(a, active, state, goal, draws, outside, scratch, functions, next, reward, action);
        advance(state, next, reward, alive, alive_steps, total);
        EACH(i, 1) outside_steps[t] += v_select(outside[t] != 0, splat(1.f), splat(0.f));
        if (a->state_record) {
          record(a->state_record, k + 1, a->particles, tile, S, active, state);
          record(a->action_record, k, a->particles, tile, U, active, action);
        }
      }
    \(steps.hasTerminal ? terminal : "")  store_results(a, tile, active, total, outside_steps, alive_steps);
    }

    \(steps.isDifferentiated ? gradient(steps) : "")
    """
  }

  /// What the last carry earns.
  private static let terminal = """
      terminal_reward(a, active, state, goal, draws, outside, scratch, NULL, reward);
          EACH(i, TOTALS) total[i][t] += v_select(alive[t], reward[i][t], splat(0.f));

    """

  /// The adjoint of the last carry, of particles that got there.
  private static let terminalAdjoint = """
      EACH(i, TOTALS) adj_reward[i][t] = v_select(alive[t], seed[i][t], splat(0.f));
          terminal_adjoint(a, active, state, goal, draws, outside, scratch, NULL, adj_reward, adj_state);
          EACH(i, 1) lived[t] = alive[t] & (weight[t] > 0.f);
          cut(adj_state, lived, truncated);

    """

  private static func gradient(_ steps: StepText) -> String {
    """
    // Elements of an adjoint beyond the limit become zero, and so do those of particles that did not live.
    INLINE void cut(vf adj_state[S][T], const vi lived[T], vi truncated[T]) {
      EACH(i, S) {
        vi sound = ~lived[t] | (v_magnitude(adj_state[i][t]) <= \(literal(steps.rollout.adjointLimit)));
        truncated[t] |= ~sound;
        adj_state[i][t] = v_select(sound & lived[t], adj_state[i][t], splat(0.f));
      }
    }

    void bagel_gradient(void *const *pointers, const int64_t *numbers, int64_t tile, float *workspace) {
      struct arguments arguments = unpack(pointers, numbers), *a = &arguments;
      vf (*states)[S][T] = (vf (*)[S][T])workspace;  // [H + 1]
      vf (*tape)[TAPE_OR_1][T] = (vf (*)[TAPE_OR_1][T])(states + a->horizon + 1);  // [H]
      vf *gradient = (vf *)((vf (*)[TAPE][T])tape + a->horizon);         // [P]
      vf *scratch = gradient + P;
      vf state[S][T], goal[G_OR_1][T], next[S][T], reward[TOTALS][T], draws[DRAWS_OR_1][T];
      vf total[TOTALS][T], alive_steps[T], outside_steps[T];
      vi alive[T], outside[T];
      int active[T];
      vu particle = first_particles(tile);
      kept_row functions = tile_functions(a, tile);
      start_tile(a, tile, state, goal, active, alive, alive_steps, outside_steps, scratch, total);
      for (int64_t k = 0; k < a->horizon; ++k) {
        EACH(i, 1) outside[t] = (vi)0;
        memcpy(states[k], state, sizeof state);
        step_draws(a, particle, (vu)(uint32_t)k, draws);
        step_taped(a, active, state, goal, draws, outside, scratch, functions, next, reward,
                   (tape_row)tape + k * TAPE);
        advance(state, next, reward, alive, alive_steps, total);
        EACH(i, 1) outside_steps[t] += v_select(outside[t] != 0, splat(1.f), splat(0.f));
      }
    \(steps.hasTerminal ? terminal : "")  store_results(a, tile, active, total, outside_steps, alive_steps);

      vf adj_state[S][T], adj_next[S][T], adj_reward[TOTALS][T], seed[TOTALS][T], weight[T];
      memset(adj_state, 0, sizeof adj_state);
      vi truncated[T], lived[T];
      EACH(i, 1) truncated[t] = (vi)0;
      memset(gradient, 0, sizeof(vf) * P);
      for (int t = 0; t < T; ++t)
        for (int l = 0; l < W; ++l) weight[t][l] = l < active[t] ? 1.f / (float)a->particles : 0.f;
      EACH(i, TOTALS) seed[i][t] = a->total_weights[i] * weight[t];
    \(steps.hasTerminalAdjoint ? terminalAdjoint : "")  for (int64_t k = a->horizon - 1; k >= 0; --k) {
        EACH(i, 1) lived[t] = (splat((float)k) < alive_steps[t]) & (weight[t] > 0.f);
        EACH(i, TOTALS) adj_reward[i][t] = v_select(lived[t], seed[i][t], splat(0.f));
        memcpy(adj_next, adj_state, sizeof adj_state);
        if (ADJOINT_DRAWS > 0) step_draws(a, particle, (vu)(uint32_t)k, draws);
        step_adjoint(a, active, states[k], goal, draws, outside, scratch, functions, (tape_row)tape + k * TAPE,
                     adj_next, adj_reward, lived, adj_state, gradient);
        cut(adj_state, lived, truncated);
      }
      for (int t = 0; t < T; ++t)
        for (int l = 0; l < active[t]; ++l)
          a->truncations[(tile * T + t) * W + l] = truncated[t][l] ? 1.f : 0.f;
      float *result = a->gradients + tile * P;
      for (int p = 0; p < P; ++p) result[p] = lane_sum(gradient[p]);
    }
    """
  }
}
