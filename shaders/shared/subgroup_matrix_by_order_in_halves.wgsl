// As subgroup_matrix_by_order, with tiles of f16, for kernels that store single halves: of a vector that would write
// the others too.
// Reference: gpuweb, proposals/subgroup-matrix.md (gpuweb/gpuweb#5335).
// requires: K, M, N, LEFT, RIGHT, STRIDE_LEFT, STRIDE_RIGHT, sums

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

var<workgroup> tile_left: array<f16, LEFT>;
var<workgroup> tile_right: array<f16, RIGHT>;

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&tile_left, at, STRIDE_LEFT); }
fn load_left_of_right(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&tile_right, at, STRIDE_RIGHT); }
fn load_right_by_columns(at: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&tile_right, at, STRIDE_RIGHT);
}
fn load_right_by_rows(at: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&tile_right, at, STRIDE_RIGHT);
}
fn store_sum(at: u32, sum: Sum) { subgroupMatrixStore<row_major>(&sums, at, sum, u32(N)); }
fn load_sum(at: u32) -> Sum { return subgroupMatrixLoad<Sum, row_major>(&sums, at, u32(N)); }
