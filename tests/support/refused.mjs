// Preloaded into the command line (node --import): the system refuses the calls on files that REFUSED names, such as
// "stat", at every path that contains REFUSED_AT, with the code in REFUSED_WITH. Nothing is refused to root itself.
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { REFUSED, REFUSED_AT, REFUSED_WITH: code } = process.env;
const call = promises[REFUSED];
promises[REFUSED] = (path, ...rest) =>
  String(path).includes(REFUSED_AT)
    ? Promise.reject(
        Object.assign(new Error(`${code}: ${REFUSED} '${path}'`), { code, path, syscall: REFUSED }),
      )
    : call(path, ...rest);
syncBuiltinESMExports();
