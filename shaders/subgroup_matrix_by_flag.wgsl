// How tiles meet matrix units where the order of elements is a flag (Chrome's older dialect). The kernel that this
// stands before declares the tiles, STRIDE_LEFT and STRIDE_RIGHT; its head says M, N and K.

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left>(&tile_left, at, false, STRIDE_LEFT); }
fn load_right_by_columns(at: u32) -> Right { return subgroupMatrixLoad<Right>(&tile_right, at, true, STRIDE_RIGHT); }
fn load_right_by_rows(at: u32) -> Right { return subgroupMatrixLoad<Right>(&tile_right, at, false, STRIDE_RIGHT); }
fn store_sum(at: u32, sum: Sum) { subgroupMatrixStore(&sums, at, sum, false, u32(N)); }
