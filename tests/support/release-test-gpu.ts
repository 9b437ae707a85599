import { afterAll } from 'vitest';
import { releaseTestGpu } from './gpu.ts';

afterAll(releaseTestGpu);
