namespace FedKSeed.Architecture.Tests;

/// <summary>The analyzer's rule of the longest line leaves out comments and strings, and everything that is not C#.</summary>
public sealed class LineTests
{
    private const int Columns = 140;

    [Fact]
    public void No_line_of_source_has_more_than_140_columns()
    {
        var files = SourceFiles.With(".cs", ".cu", ".h").ToArray();
        Assert.Contains("src/Perturbation/Cuda/kernels.cu", files);
        // Records of data are lines in the files that people have, and so in the tests that read them: those say so in their first line.
        var tooLong = files.Where(file => !File.ReadLines(SourceFiles.Full(file)).First().Contains("RCS0056", StringComparison.Ordinal))
            .SelectMany(file => File.ReadLines(SourceFiles.Full(file))
            .Index().Where(line => line.Item.Length > Columns)
            .Select(line => $"{file}:{line.Index + 1}: {line.Item.Length} columns"));
        Assert.Empty(tooLong);
    }
}
