// Preloaded into the command line (node --import): reading the first text never ends, as with a hostile regular
// expression or template, and JavaScript never has its turn again.
import { writeSync } from 'node:fs';

TextDecoder.prototype.decode = () => {
  writeSync(1, 'busy\n');
  for (;;) {
    // Never ends.
  }
};
