import './app/retune-app.ts';
