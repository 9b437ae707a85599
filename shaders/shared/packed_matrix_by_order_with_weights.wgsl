// As packed_matrix_by_flag_with_weights, where the order of elements is a template parameter (Chrome's newer
// dialect).
// Reference: gpuweb, proposals/subgroup-matrix.md (gpuweb/gpuweb#5335).
// requires: K, M, N, EDGE, tiles, WEIGHTS, WEIGHTS_STRIDE, sums

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

var<workgroup> weights: array<f16, WEIGHTS>;

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&tiles, at, EDGE); }
fn load_right(at: u32) -> Right { return subgroupMatrixLoad<Right, col_major>(&tiles, at, EDGE); }
fn load_weights(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&weights, at, WEIGHTS_STRIDE); }
fn store_sum(at: u32, sum: Sum, stride: u32) { subgroupMatrixStore<row_major>(&sums, at, sum, stride); }
