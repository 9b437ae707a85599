import { strikeEverywhere } from '../support/strike-everywhere.ts';

strikeEverywhere(['SIGKILL', 'torn']);
