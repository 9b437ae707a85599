// The shape of a workgroup's tile of the head in f32: THREADS_M × THREADS_N threads, each of 8 rows × COLUMNS.

override THREADS_M: u32 = 8u;
override THREADS_N: u32 = 16u;  // along the columns of the output; a multiple of 8
override COLUMNS: u32 = 8u;     // 4, 8 or 16

const ROWS = 8u;
const CHUNK = 4u;  // vec4 of what is summed over

override THREADS = THREADS_M * THREADS_N;
override TILE_M = THREADS_M * ROWS;
// vec4 that a thread brings into the left tile: 2 or 4.
override PER_LEFT = TILE_M * CHUNK / THREADS;

// The rows of x or dlogits in the chunk.
var<workgroup> tile_left: array<vec4f, TILE_M * CHUNK>;
