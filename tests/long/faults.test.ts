import { strikeEverywhere } from '../support/strike-everywhere.ts';

strikeEverywhere(['EIO', 'ENOSPC', 'lasting', 'short', 'late:EIO']);
