// The left tile of a product on matrix units: the activations of a chunk of 32 of the depth, TILE_M rows in f16. Each
// subgroup has two matrices of M of them, and a thread brings QUADS vec4 of each chunk.

const TILE_M = 2u * u32(M) * SUBGROUPS_M;
const THREADS = SUBGROUP_SIZE * SUBGROUPS_M * SUBGROUPS_N;
const QUADS = TILE_M * 8u / THREADS;
// Halves between rows of the tile, 32 in use; 80 bytes keep sixteen rows off each other's banks.
const STRIDE_LEFT = 40u;

var<workgroup> tile_left: array<f16, TILE_M * STRIDE_LEFT>;

// Puts quad i of the chunk in its place: eight to a row.
fn put_left(i: u32, value: vec4f) {
  let at = (i / 8u) * STRIDE_LEFT + (i % 8u) * 4u;
  let h = vec4<f16>(value);
  tile_left[at] = h.x;
  tile_left[at + 1u] = h.y;
  tile_left[at + 2u] = h.z;
  tile_left[at + 3u] = h.w;
}
