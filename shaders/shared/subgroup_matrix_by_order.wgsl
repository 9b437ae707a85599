// How tiles meet subgroup matrices where the order of elements is a template parameter (Chrome's newer dialect):
// there tiles may be of vec4, which are stored at once; offsets and strides count them. LEFT and RIGHT are the halves
// in each tile; these and the strides are multiples of four.
// Reference: gpuweb, proposals/subgroup-matrix.md (gpuweb/gpuweb#5335).
// requires: K, M, N, LEFT, RIGHT, STRIDE_LEFT, STRIDE_RIGHT, sums

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

var<workgroup> tile_left: array<vec4<f16>, LEFT / 4u>;
var<workgroup> tile_right: array<vec4<f16>, RIGHT / 4u>;

fn put_left(at: u32, v: vec4<f16>) { tile_left[at / 4u] = v; }
fn put_right(at: u32, v: vec4<f16>) { tile_right[at / 4u] = v; }

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&tile_left, at / 4u, STRIDE_LEFT / 4u); }
fn load_right_by_columns(at: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&tile_right, at / 4u, STRIDE_RIGHT / 4u);
}
fn load_right_by_rows(at: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&tile_right, at / 4u, STRIDE_RIGHT / 4u);
}
fn store_sum(at: u32, sum: Sum) { subgroupMatrixStore<row_major>(&sums, at, sum, u32(N)); }
