// The shape of a workgroup's tile in f32. Threads stand in SLICES grids of THREADS_M × THREADS_N, each thread makes
// ROWS × COLUMNS numbers; slices share the chunk's products among them and are summed in order at the end, so that a
// small tile still keeps many threads busy.

override THREADS_M: u32 = 8u;
override THREADS_N: u32 = 16u;  // along the columns of the output
override SLICES: u32 = 1u;
override ROWS: u32 = 8u;        // 4 or 8
override COLUMNS: u32 = 8u;     // 4, 8 or, with 8 rows and one slice, 16
override CHUNK: u32 = 4u;       // vec4 of what is summed over: 2, 4 or 8

override GRID = THREADS_M * THREADS_N;
override THREADS = GRID * SLICES;
override TILE_M = THREADS_M * ROWS;
// vec4 that a thread brings into the left tile: 1, 2 or 4.
override PER_LEFT = TILE_M * CHUNK / THREADS;

// The rows of x or dy in the chunk.
var<workgroup> tile_left: array<vec4f, TILE_M * CHUNK>;
