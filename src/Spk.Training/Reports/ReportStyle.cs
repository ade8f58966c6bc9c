namespace Spk.Training.Reports;

/// <summary>The style sheet of a report.</summary>
internal static class ReportStyle
{
    /// <summary>The styles of a chart that stands alone; it follows the reader's preference of light or dark as a page does.</summary>
    public const string Drawing = """

        svg { --card: #ffffff; --ink: #17202e; --soft: #5b6676; --edge: #dfe3e9; --grid: #e9ecf1; --c0: #2563c9; --c1: #d9730d; background: var(--card); }
        @media (prefers-color-scheme: dark) { svg { --card: #181e28; --ink: #e7ebf2; --soft: #9aa6b8; --edge: #2a3341; --grid: #242c39; --c0: #6ea8ff; --c1: #f5a04a; } }
        text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--soft); }
        .note { fill: var(--ink); font-weight: 600; }
        .grid { stroke: var(--grid); } .frame { fill: none; stroke: var(--edge); }
        .line { fill: none; stroke: currentColor; stroke-width: 2; } .line.broken { stroke-dasharray: 8 5; }
        .area { fill: currentColor; fill-opacity: 0.2; stroke: none; } .point { fill: currentColor; stroke: var(--card); stroke-width: 1.5; }
        .c0 { color: var(--c0); } .c1 { color: var(--c1); }

        """;

    /// <summary>Series colours c0 to c5 and map colours m0 to m9 keep their contrast on either background.</summary>
    public const string Sheet = """

        :root {
          color-scheme: light dark;
          --page: #f6f7f9; --card: #ffffff; --ink: #17202e; --soft: #5b6676; --edge: #dfe3e9; --grid: #e9ecf1; --alarm: #fff4d6; --alarm-edge: #d9a400;
          --c0: #2563c9; --c1: #d9730d; --c2: #1a8f6a; --c3: #8a4fc7; --c4: #c93a6c; --c5: #607080;
          --m0: #2563c9; --m1: #e07a10; --m2: #1a9a68; --m3: #c8334f; --m4: #8a4fc7; --m5: #8b5e3c; --m6: #d957a8; --m7: #6d7683; --m8: #a3a416; --m9: #12a0b8;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #10141b; --card: #181e28; --ink: #e7ebf2; --soft: #9aa6b8; --edge: #2a3341; --grid: #242c39; --alarm: #3a2f10; --alarm-edge: #d9a400;
            --c0: #6ea8ff; --c1: #f5a04a; --c2: #4fcfa0; --c3: #bf97f2; --c4: #f47fa6; --c5: #9fb0c3;
            --m0: #6ea8ff; --m1: #f5a04a; --m2: #4fcfa0; --m3: #f2707f; --m4: #bf97f2; --m5: #c99a70; --m6: #f293cd; --m7: #a9b4c2; --m8: #d3d449; --m9: #4fd0e6;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; padding: 32px 20px 64px; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
        header, main { max-width: 1120px; margin: 0 auto; }
        h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
        h2 { font-size: 16px; line-height: 1.3; margin: 0 0 10px; }
        p { margin: 0; }
        .quiet { color: var(--soft); font-size: 13px; }
        header { margin-bottom: 22px; }
        section, figure, .card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
        section, figure { padding: 18px 20px; margin: 0 0 18px; }
        .warning { background: var(--alarm); border-left: 4px solid var(--alarm-edge); padding: 10px 14px; margin-bottom: 14px; border-radius: 4px; }
        .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 14px; margin-bottom: 18px; }
        .card { padding: 14px 16px; }
        .card .name { font-size: 13px; color: var(--soft); }
        .card .value { font-size: 30px; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
        .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(440px, 100%), 1fr)); gap: 18px; margin-bottom: 18px; align-items: start; }
        .charts figure { margin: 0; height: 100%; }
        dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 10px 24px; margin: 0; }
        dt { font-size: 13px; color: var(--soft); }
        dd { margin: 0; overflow-wrap: anywhere; }
        figure > svg { display: block; width: 100%; height: auto; }
        figcaption { color: var(--soft); font-size: 13px; margin-top: 8px; }
        .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; margin: 0 0 6px; }
        .legend > span { display: inline-flex; align-items: center; gap: 6px; }
        .legend .swatch { width: 16px; height: 4px; border-radius: 2px; background: currentColor; }
        .legend .key { width: 14px; height: 14px; }
        .swatch.before { background: var(--soft); }
        .scroll { overflow-x: auto; margin-bottom: 10px; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { text-align: left; padding: 7px 14px 7px 0; border-bottom: 1px solid var(--edge); white-space: nowrap; }
        th { font-size: 13px; font-weight: 500; color: var(--soft); }
        tbody tr:last-child td { font-weight: 600; border-bottom: 0; }
        .even tbody tr:last-child td { font-weight: inherit; }
        .even td { white-space: normal; } .even td.number, .even td.verdict { white-space: nowrap; }
        .verdict { font-weight: 600; } .yes { color: var(--c2); } .no { color: var(--c4); } .open { color: var(--soft); }
        main > section > p { margin-bottom: 10px; }
        .number { text-align: right; padding-right: 8px; }
        pre { margin: 0; overflow-x: auto; font: 13px/1.5 ui-monospace, SFMono-Regular, Consolas, "DejaVu Sans Mono", monospace; }
        svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--soft); }
        svg .axis { font-size: 12.5px; }
        svg .note { fill: var(--ink); font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
        .grid { stroke: var(--grid); }
        .frame { fill: none; stroke: var(--edge); }
        .diagonal { stroke: var(--soft); stroke-dasharray: 2 4; fill: none; }
        .rule { stroke: var(--ink); stroke-dasharray: 5 4; }
        .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
        .line.broken { stroke-dasharray: 8 5; }
        path.before { fill: none; stroke: var(--soft); stroke-width: 1.6; stroke-dasharray: 6 4; }
        .area { fill: currentColor; fill-opacity: 0.2; stroke: none; }
        .point { fill: currentColor; stroke: var(--card); stroke-width: 1.5; }
        .point.before { color: var(--soft); }
        .mark { stroke: var(--card); stroke-width: 0.8; fill-opacity: 0.9; }
        .c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
        @media print { body { background: none; } section, figure, .card { break-inside: avoid; } }

        """;
}
