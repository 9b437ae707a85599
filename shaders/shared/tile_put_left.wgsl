// Inside a function: puts what a thread brings of the left tile in its place, THREADS vec4 apart.
// requires: tile_left, lane, next0, PER_LEFT, THREADS, next1, next2, next3

tile_left[lane] = next0;
if (PER_LEFT > 1u) { tile_left[lane + THREADS] = next1; }
if (PER_LEFT > 2u) { tile_left[lane + 2u * THREADS] = next2; tile_left[lane + 3u * THREADS] = next3; }
