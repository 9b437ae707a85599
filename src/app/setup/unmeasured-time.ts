import { expectedTime, showExpected } from '../../run/expected-time.ts';
import type { Check } from '../elements/check-list.ts';
import type { AppState } from '../shared/app-state.ts';

/** What is said of a run's time where nothing was measured that holds for it: a range, by the kind of GPU. */
export function unmeasuredTime({ plan, device, slots }: AppState): Check | undefined {
  const base = slots.base.answer;
  if (!plan?.ok || !device?.ok || !base?.ok) {
    return undefined;
  }
  const { name, software, vendor = '', architecture = '' } = device.value;
  const gpu = { name, software, vendor, architecture };
  const expected = expectedTime(gpu, base.value.parameters, plan.value.work);
  return expected && { state: 'good', title: 'Time', detail: showExpected(expected) };
}
