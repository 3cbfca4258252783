namespace FedKSeed.Architecture.Tests;

/// <summary>The table of projects in docs/ARCHITECTURE.md is what the project files say.</summary>
public sealed class ProjectTableTests
{
    private static readonly Row[] Table =
    [
        .. File.ReadLines(SourceFiles.Full("docs/ARCHITECTURE.md"))
            .Where(line => line.StartsWith("| src/", StringComparison.Ordinal)
                || line.StartsWith("| benchmarks/", StringComparison.Ordinal) || line.StartsWith("| tools/", StringComparison.Ordinal))
            .Select(line => line.Trim('|').Split('|', StringSplitOptions.TrimEntries))
            .Select(cells => new Row(cells[0], Names(cells[2]), Names(cells[3]))),
    ];

    [Fact]
    public void Every_project_of_the_product_is_in_the_table()
    {
        var known = Project.All["Cli"].Closure().Select(project => project.Path);
        Assert.Equal(
            Project.All.Values.Select(project => project.Path)
                .Where(path => path.StartsWith("src/", StringComparison.Ordinal)).Union(known).Order(),
            Table.Select(row => row.Path).Order());
    }

    [Fact]
    public void A_project_references_the_projects_that_the_table_says()
    {
        Assert.Equal(
            Table.Select(row => $"{row.Path}: {string.Join(", ", row.Projects.Order())}"),
            Table.Select(row => $"{row.Path}: {string.Join(", ", row.Project.Projects.Order())}"));
    }

    [Fact]
    public void A_project_references_the_packages_that_the_table_says()
    {
        foreach (var row in Table)
        {
            var packages = row.Project.Packages;
            Assert.All(
                row.Packages, name => Assert.True(packages.Any(package => IsOf(package, name)), $"{row.Path} references no {name}"));
            Assert.All(
                packages.Except(Project.TransitivePins),
                package => Assert.True(row.Packages.Any(name => IsOf(package, name)), $"{row.Path} also references {package}"));
        }
    }

    [Fact]
    public void No_project_knows_one_that_stands_below_it()
    {
        var place = Table.Index().ToDictionary(row => row.Item.Project.Name, row => row.Index);
        foreach (var row in Table)
            Assert.All(
                row.Project.Projects,
                name => Assert.True(place[name] < place[row.Project.Name], $"{row.Path} stands above {name}, which it references"));
    }

    /// <summary>A name stands for its family: MassTransit for MassTransit.RabbitMQ.</summary>
    private static bool IsOf(string package, string name) =>
        package == name || package.StartsWith($"{name}.", StringComparison.Ordinal)
            || package.StartsWith($"{name}-", StringComparison.Ordinal);

    private static HashSet<string> Names(string cell) => cell is "–" ? [] : [.. cell.Split(',', StringSplitOptions.TrimEntries)];

    private sealed record Row(string Path, IReadOnlySet<string> Projects, IReadOnlySet<string> Packages)
    {
        public Project Project => Project.All[System.IO.Path.GetFileName(Path)];
    }
}
