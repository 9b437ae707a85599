// Preloaded into the command line (node --import): a disk that is full for every path that contains FULL_DISK_AT.
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { open } = promises;
promises.open = async (path, flags, ...rest) => {
  const file = await open(path, flags, ...rest);
  if (/^w/.test(flags) && String(path).includes(process.env.FULL_DISK_AT)) {
    file.writeFile = () =>
      Promise.reject(
        Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
          syscall: 'write',
        }),
      );
  }
  return file;
};
syncBuiltinESMExports();
