import { testOnMatrices } from '../support/attention-matrix.ts';

// The form that only stored plans name: each operand becomes halves where it is used.
testOnMatrices('matrices');
