import { defineConfig } from 'vite';

// The command line as one file for Node: the engine with its shaders inlined, packages left where npm put them.
export default defineConfig({
  publicDir: false,
  build: {
    ssr: 'src/cli/retune.ts',
    outDir: 'dist/cli',
    // Others may be running what is there.
    emptyOutDir: false,
    target: 'node20',
    minify: false,
    rollupOptions: { output: { entryFileNames: 'retune.js' } },
  },
});
