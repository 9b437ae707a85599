// As packed_matrix_by_flag, where the order of elements is a template parameter (Chrome's newer dialect).
// Reference: gpuweb, proposals/subgroup-matrix.md (gpuweb/gpuweb#5335).
// requires: K, M, N, EDGE, sums

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

@group(0) @binding(1) var<storage, read> left: array<f16>;
@group(0) @binding(2) var<storage, read> right: array<f16>;

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&left, at, u32(K)); }
fn load_right(at: u32) -> Right { return subgroupMatrixLoad<Right, col_major>(&right, at, EDGE); }
fn store_sum(at: u32, sum: Sum, stride: u32) { subgroupMatrixStore<row_major>(&sums, at, sum, stride); }
