import type { Check } from '../elements/check-list.ts';
import type { AppState } from '../shared/app-state.ts';

/** What is said of a run's time where nothing was measured that holds for it; nothing, where nothing is known. */
export const unmeasuredTime: (state: AppState) => Check | undefined = () => undefined;
