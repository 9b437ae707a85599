/** Every permission that this page does not need: refused, whichever script asks. */
const REFUSED_FEATURES = `
  accelerometer aria-notify autoplay bluetooth browsing-topics camera captured-surface-control ch-device-memory
  ch-downlink ch-dpr ch-ect ch-prefers-color-scheme ch-prefers-reduced-motion ch-prefers-reduced-transparency ch-rtt
  ch-save-data ch-ua ch-ua-arch ch-ua-bitness ch-ua-form-factors ch-ua-full-version ch-ua-full-version-list
  ch-ua-high-entropy-values ch-ua-mobile ch-ua-model ch-ua-platform ch-ua-platform-version ch-ua-wow64
  ch-viewport-height ch-viewport-width ch-width clipboard-read clipboard-write compute-pressure deferred-fetch
  deferred-fetch-minimal digital-credentials-create digital-credentials-get display-capture encrypted-media fullscreen
  gamepad geolocation gyroscope hid identity-credentials-get idle-detection interest-cohort keyboard-map
  language-detector language-model local-fonts local-network local-network-access loopback-network magnetometer
  media-playback-while-not-visible microphone midi on-device-speech-recognition otp-credentials payment
  picture-in-picture private-state-token-issuance private-state-token-redemption publickey-credentials-create
  publickey-credentials-get serial speaker-selection storage-access summarizer sync-xhr translator unload usb web-share
  window-management xr-spatial-tracking
`
  .trim()
  .split(/\s+/);

/**
 * Permissions that remain: keeping the screen awake during a run, and an isolated page's finer clock, which times
 * kernels.
 */
export const KEPT_FEATURES = ['cross-origin-isolated', 'screen-wake-lock'];

/**
 * Headers of every response of the page's servers, including its workers': nothing is loaded from, or sent to, any
 * other origin. public/_headers says the same for static hosts; a test keeps the two equal. docs/SECURITY.md says
 * what each header stops.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "style-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types lit-html retune',
  ].join('; '),
  // Chrome 152 and newer: for what no CSP directive covers, such as navigation, WebRTC and DNS lookups.
  'Connection-Allowlist': '(response-origin)',
  'Permissions-Policy': REFUSED_FEATURES.map((feature) => `${feature}=()`).join(', '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
};
