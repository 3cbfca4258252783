namespace FedKSeed.Federation.Tests;

public class VectorsTests
{
    [Fact]
    public void The_vectors_folder_exists() => Assert.True(Directory.Exists(FedKSeed.Tests.Vectors.Folder));
}
