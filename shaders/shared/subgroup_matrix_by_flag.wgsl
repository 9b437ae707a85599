// How tiles meet subgroup matrices where the order of elements is a flag (Chrome's older dialect); tiles are of f16,
// LEFT and RIGHT of them.
// Reference: gpuweb, proposals/subgroup-matrix.md (gpuweb/gpuweb#5335).
// requires: K, M, N, LEFT, RIGHT, STRIDE_LEFT, STRIDE_RIGHT, sums

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

var<workgroup> tile_left: array<f16, LEFT>;
var<workgroup> tile_right: array<f16, RIGHT>;

fn put_left(at: u32, v: vec4<f16>) {
  tile_left[at] = v.x; tile_left[at + 1u] = v.y; tile_left[at + 2u] = v.z; tile_left[at + 3u] = v.w;
}
fn put_right(at: u32, v: vec4<f16>) {
  tile_right[at] = v.x; tile_right[at + 1u] = v.y; tile_right[at + 2u] = v.z; tile_right[at + 3u] = v.w;
}

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left>(&tile_left, at, false, STRIDE_LEFT); }
fn load_left_of_right(at: u32) -> Left { return subgroupMatrixLoad<Left>(&tile_right, at, false, STRIDE_RIGHT); }
fn load_right_by_columns(at: u32) -> Right { return subgroupMatrixLoad<Right>(&tile_right, at, true, STRIDE_RIGHT); }
fn load_right_by_rows(at: u32) -> Right { return subgroupMatrixLoad<Right>(&tile_right, at, false, STRIDE_RIGHT); }
fn store_sum(at: u32, sum: Sum) { subgroupMatrixStore(&sums, at, sum, false, u32(N)); }
fn load_sum(at: u32) -> Sum { return subgroupMatrixLoad<Sum>(&sums, at, false, u32(N)); }
