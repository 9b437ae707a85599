/** Whether the browser shows notifications of this page; undefined where it has none. */
export const notifyPermission = (): NotificationPermission | undefined =>
  'Notification' in globalThis ? Notification.permission : undefined;

/** Has the browser ask the user, which it does only after a click. */
export const requestNotify = (): Promise<NotificationPermission> => Notification.requestPermission();

/** Whether nobody looks at the page. */
const isAway = (): boolean => document.visibilityState === 'hidden' || !document.hasFocus();

/** Shows a notification where that was allowed and nobody looks at the page; a press on it leads to the page. */
export function notify(title: string, body: string): void {
  if (notifyPermission() !== 'granted' || !isAway()) {
    return;
  }
  const options = { body, icon: new URL('icon-192.png', document.baseURI).href, tag: 'retune' };
  try {
    const shown = new Notification(title, options);
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch {
    // On Android only a service worker may.
    void navigator.serviceWorker?.ready
      .then((worker) => worker.showNotification(title, options))
      .catch(() => undefined);
  }
}
