import { testPacked } from '../../support/packed-runs.ts';

// The other run is in tests/long/packed.test.ts.
testPacked(['batch2']);
