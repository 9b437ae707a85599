import { defineConfig } from 'vite';
import { wgsl } from './shaders/vite-plugin.ts';

// The command line as one file that needs Node and the package `webgpu` and nothing else: for a machine without npm.
export default defineConfig({
  publicDir: false,
  build: {
    ssr: 'src/cli/retune.ts',
    outDir: 'dist/single',
    target: 'node20',
    minify: false,
    rollupOptions: { output: { entryFileNames: 'retune.mjs', codeSplitting: false } },
  },
  plugins: [wgsl()],
  ssr: { noExternal: true, external: ['webgpu'] },
});
