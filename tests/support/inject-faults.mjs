// Preloaded into the command line (node --import): faults as FAULTS asks for, in the JSON of injectFaults' options.
import { injectFaults } from './faults.mjs';

injectFaults(JSON.parse(process.env.FAULTS));
