// How attention's packed operands meet subgroup matrices where the order of elements is a flag (Chrome's older
// dialect). Tiles in storage have EDGE rows of EDGE halves; weights and sums are in workgroup memory. Offsets count
// halves.
// Reference: gpuweb, proposals/subgroup-matrix.md (gpuweb/gpuweb#5335).
// requires: K, M, N, EDGE, tiles, WEIGHTS, WEIGHTS_STRIDE, sums

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

var<workgroup> weights: array<f16, WEIGHTS>;

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left>(&tiles, at, false, EDGE); }
fn load_right(at: u32) -> Right { return subgroupMatrixLoad<Right>(&tiles, at, true, EDGE); }
fn load_weights(at: u32) -> Left { return subgroupMatrixLoad<Left>(&weights, at, false, WEIGHTS_STRIDE); }
fn store_sum(at: u32, sum: Sum, stride: u32) { subgroupMatrixStore(&sums, at, sum, false, stride); }
